"""Whether a ticket may be approved, and whether somebody may be asked: the rules beside what the journal knows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from okx_mcp.trading.approval import Channel
from okx_mcp.trading.orders import Ticket
from okx_mcp.trading.policy import matching_policy, objections
from okx_mcp.trading.questions import Questions, why_not_after_a_no, why_not_asked
from okx_mcp.trading.refusals import NotApproved
from okx_mcp.trading.valuation import usd_of

if TYPE_CHECKING:
    from okx_mcp.trading.accounts import Account
    from okx_mcp.trading.approval_rules import ApprovalRules
    from okx_mcp.trading.exposure import Exposure
    from okx_mcp.trading.journal import Journal
    from okx_mcp.trading.journal_use import Used
    from okx_mcp.trading.orders import AnyTicket, OrderView

__all__ = ["Approving"]


class Approving:
    """The approvals of one account."""

    def __init__(self, account: "Account", journal: "Journal", rules: "ApprovalRules") -> None:
        self.rules = rules
        self._account = account
        self._journal = journal

    def check_accepts(self, channel: Channel) -> None:
        """Take an approval through this channel for one.

        Raises:
            NotApproved: orders of this environment are not approved this way.
        """
        if channel not in self.rules.channels:
            accepted = "; ".join(each.strength for each in Channel if each in self.rules.channels)
            environment = self._account.environment
            raise NotApproved(f"What approves {environment} orders here: {accepted}. Not: {channel.strength}.")

    def check_can_begin(self, channel: Channel | None) -> None:
        """Let a ticket be made that may be approved in the end.

        Raises:
            NotApproved: neither a person reached through this channel nor any policy could approve it.
        """
        if channel is not None:
            self.check_accepts(channel)
        elif not self.rules.active_policies:
            raise self._nobody_reached()

    def by_policy_or(self, channel: Channel | None, ticket: "AnyTicket") -> "AnyTicket":
        """The ticket as approved by a policy; as it is, to wait for a person, where none approves it.

        A policy approves orders alone, and nothing like what a person declined a moment ago.

        Raises:
            NotApproved: no policy approves it, and no person is reached.
        """
        policies, now_ms = self.rules.active_policies, ticket.created_ms
        if (
            policies
            and isinstance(ticket, Ticket)
            and why_not_after_a_no(ticket, self._journal.questions(self._account, now_ms), now_ms) is None
        ):
            meant = [each for each in policies if ticket.order is None or each.name == self._approved_by(ticket.order)]
            day_usd = {each.name: self._journal.policy_usd(self._account, now_ms, each.name) for each in meant}
            policy = matching_policy(meant, ticket, day_usd)
            if policy is not None:
                return replace(ticket, channel=Channel.POLICY, policy=policy.name)
        if channel is None:
            raise self._nobody_reached()
        return ticket

    def _approved_by(self, order: "OrderView") -> str | None:
        """The policy that approved an order of ours."""
        receipt = self._journal.receipt(order.cl_ord_id, self._account) if order.cl_ord_id else None
        return None if receipt is None else receipt.ticket.policy

    def objections(self, ticket: "AnyTicket", seen: "Exposure | None", used: "Used") -> Sequence[str]:
        """Why the policy that approved the ticket does not any more, with fresh prices; nothing where none did."""
        if ticket.policy is None or not isinstance(ticket, Ticket) or seen is None:
            return ()
        policy = next((each for each in self.rules.active_policies if each.name == ticket.policy), None)
        if policy is None:
            return (f"There is no policy {ticket.policy}.",)
        usd, distance = usd_of(ticket, seen.prices), ticket.distance_from(seen.last)
        against = objections(policy, ticket, usd=usd, day_usd=used.policy_usd, distance=distance)
        return [f"The policy {policy.name} does not approve it any more: {each}" for each in against]

    def why_not_asked(self, ticket: "AnyTicket", questions: Questions) -> str | None:
        """Why nobody is asked about this ticket now; None if a person may be."""
        return why_not_asked(ticket, questions, self.rules.questions_per_hour, ticket.created_ms)

    def _nobody_reached(self) -> NotApproved:
        of_policy = "No policy of this server's owner approves this order. " if self.rules.active_policies else ""
        return NotApproved(
            f"{of_policy}Orders here need an approval that this client has no way to give: it cannot ask a person."
        )
