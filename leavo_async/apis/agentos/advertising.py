"""What is advertised: lettings and sales."""

from __future__ import annotations

from typing import Unpack

from leavo_async._sansio.paths import segment
from leavo_async.apis.agentos.company import Tier
from leavo_async.apis.agentos.models import Record
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages


class Advertising(Tier):
    """Advertised properties. The vendor wants them copied at intervals into a store of yours, not asked for live.

    What belongs to a sale is seen in client code, not documented.
    https://letmc.zendesk.com/hc/en-us/articles/360002257638
    """

    _at = "/v4/advertising/{short_name}"

    def lettings(self, *, branch_id: str | None = None, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The lettings on offer. branch_id: of one branch alone (seen in client code)."""
        return self._list("/lettings/advertised", options, branchID=branch_id)

    def sales(
        self,
        *,
        branch_id: str | None = None,
        only_development: bool | None = None,
        only_investments: bool | None = None,
        **options: Unpack[ListOptions],
    ) -> Pages[Record]:
        """The sales on offer, of all branches or of one."""
        return self._list(
            "/sales/advertised",
            options,
            branchID=branch_id,
            onlyDevelopement=only_development,  # misspelt, as the server knows it, and the next one too
            onlyInvestements=only_investments,
        )

    async def sales_instruction(self, instruction_id: str, **options: Unpack[CallOptions]) -> Record:
        """All about one sale; NotFoundError if there is none. instruction_id, here and below: its OID in `sales`."""
        return await self._get(_sale(instruction_id), options)

    def features(self, instruction_id: str, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The features of a sale."""
        return self._list(f"{_sale(instruction_id)}/features", options)

    def floorplans(self, instruction_id: str, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The floor plans of a sale."""
        return self._list(f"{_sale(instruction_id)}/floorplans", options)

    def photos(self, instruction_id: str, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The photos of a sale."""
        return self._list(f"{_sale(instruction_id)}/photos", options)

    def rooms(self, instruction_id: str, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The rooms of a sale."""
        return self._list(f"{_sale(instruction_id)}/rooms", options)


def _sale(instruction_id: str) -> str:
    return f"/sales/salesinstructions/{segment(instruction_id, 'instruction_id')}"
