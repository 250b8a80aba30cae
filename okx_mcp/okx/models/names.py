"""OKX's open lists as field types: a member where the value is known, plain text where OKX has added one."""

from typing import Annotated

from okx_mcp.okx.names import (
    AcctLv,
    AlgoOrdType,
    AlgoState,
    CtType,
    ExecType,
    InstState,
    InstType,
    MaintenanceState,
    MgnMode,
    OptType,
    OrderCategory,
    OrderState,
    OrdType,
    PosMode,
    PosSide,
    Side,
    StpMode,
    TdMode,
    TgtCcy,
    TransferState,
    TriggerPxType,
)

from .wire import known

AcctLvName = Annotated[AcctLv | str | None, known(AcctLv)]
AlgoOrdTypeName = Annotated[AlgoOrdType | str | None, known(AlgoOrdType)]
AlgoStateName = Annotated[AlgoState | str | None, known(AlgoState)]
CtTypeName = Annotated[CtType | str | None, known(CtType)]
ExecTypeName = Annotated[ExecType | str | None, known(ExecType)]
InstStateName = Annotated[InstState | str | None, known(InstState)]
InstTypeName = Annotated[InstType | str | None, known(InstType)]
MaintenanceStateName = Annotated[MaintenanceState | str | None, known(MaintenanceState)]
MgnModeName = Annotated[MgnMode | str | None, known(MgnMode)]
OptTypeName = Annotated[OptType | str | None, known(OptType)]
OrdTypeName = Annotated[OrdType | str | None, known(OrdType)]
OrderCategoryName = Annotated[OrderCategory | str | None, known(OrderCategory)]
OrderStateName = Annotated[OrderState | str | None, known(OrderState)]
PosModeName = Annotated[PosMode | str | None, known(PosMode)]
PosSideName = Annotated[PosSide | str | None, known(PosSide)]
SideName = Annotated[Side | str | None, known(Side)]
StpModeName = Annotated[StpMode | str | None, known(StpMode)]
TdModeName = Annotated[TdMode | str | None, known(TdMode)]
TgtCcyName = Annotated[TgtCcy | str | None, known(TgtCcy)]
TransferStateName = Annotated[TransferState | str | None, known(TransferState)]
TriggerPxTypeName = Annotated[TriggerPxType | str | None, known(TriggerPxType)]
