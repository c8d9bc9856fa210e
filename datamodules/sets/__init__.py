"""The data sets: one file per data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from datamodules.sets.acdc import ACDC as ACDC
    from datamodules.sets.amos22 import Amos22 as Amos22
    from datamodules.sets.autopet import AutoPET as AutoPET
    from datamodules.sets.biomedsegfm import BiomedSegFM as BiomedSegFM
    from datamodules.sets.brats import BraTS as BraTS
    from datamodules.sets.btcv import BTCV as BTCV
    from datamodules.sets.chaos import Chaos as Chaos
    from datamodules.sets.flare22 import FLARE22 as FLARE22
    from datamodules.sets.image_text_folder import ImageTextFolder as ImageTextFolder
    from datamodules.sets.kits23 import KiTS23 as KiTS23
    from datamodules.sets.m3d_refseg import M3DRefSeg as M3DRefSeg
    from datamodules.sets.medclipseg import MedCLIPSeg as MedCLIPSeg
    from datamodules.sets.medvlsm import MedVLSM as MedVLSM
    from datamodules.sets.mmwhs import MMWHS as MMWHS
    from datamodules.sets.monuseg import MoNuSeg as MoNuSeg
    from datamodules.sets.mosmed_plus import MosMedPlus as MosMedPlus
    from datamodules.sets.msd import MSD as MSD
    from datamodules.sets.msd import Hippocampus as Hippocampus
    from datamodules.sets.nifti_folder import NiftiFolder as NiftiFolder
    from datamodules.sets.phantom_abdomen import PhantomAbdomen as PhantomAbdomen
    from datamodules.sets.phantom_chest import PhantomChest as PhantomChest
    from datamodules.sets.phantom_findings import PhantomFindings as PhantomFindings
    from datamodules.sets.polyps import (
        CVC300 as CVC300,
    )
    from datamodules.sets.polyps import (
        ClinicDB as ClinicDB,
    )
    from datamodules.sets.polyps import (
        ColonDB as ColonDB,
    )
    from datamodules.sets.polyps import (
        Etis as Etis,
    )
    from datamodules.sets.polyps import (
        Kvasir as Kvasir,
    )
    from datamodules.sets.qata_cov19 import QataCov19 as QataCov19
    from datamodules.sets.rexgroundingct import RexGroundingCT as RexGroundingCT
    from datamodules.sets.totalseg import TotalSegmentator as TotalSegmentator
    from datamodules.sets.word import WORD as WORD

__all__ = [
    "ACDC",
    "BTCV",
    "CVC300",
    "FLARE22",
    "MMWHS",
    "MSD",
    "WORD",
    "Amos22",
    "AutoPET",
    "BiomedSegFM",
    "BraTS",
    "Chaos",
    "ClinicDB",
    "ColonDB",
    "Etis",
    "Hippocampus",
    "ImageTextFolder",
    "KiTS23",
    "Kvasir",
    "M3DRefSeg",
    "MedCLIPSeg",
    "MedVLSM",
    "MoNuSeg",
    "MosMedPlus",
    "NiftiFolder",
    "PhantomAbdomen",
    "PhantomChest",
    "PhantomFindings",
    "QataCov19",
    "RexGroundingCT",
    "TotalSegmentator",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ACDC": "datamodules.sets.acdc",
        "Amos22": "datamodules.sets.amos22",
        "BiomedSegFM": "datamodules.sets.biomedsegfm",
        "BraTS": "datamodules.sets.brats",
        "BTCV": "datamodules.sets.btcv",
        "Chaos": "datamodules.sets.chaos",
        "Hippocampus": "datamodules.sets.msd",
        "ImageTextFolder": "datamodules.sets.image_text_folder",
        "MedCLIPSeg": "datamodules.sets.medclipseg",
        "MedVLSM": "datamodules.sets.medvlsm",
        "M3DRefSeg": "datamodules.sets.m3d_refseg",
        "MMWHS": "datamodules.sets.mmwhs",
        "MoNuSeg": "datamodules.sets.monuseg",
        "MosMedPlus": "datamodules.sets.mosmed_plus",
        "MSD": "datamodules.sets.msd",
        "NiftiFolder": "datamodules.sets.nifti_folder",
        "PhantomAbdomen": "datamodules.sets.phantom_abdomen",
        "PhantomChest": "datamodules.sets.phantom_chest",
        "PhantomFindings": "datamodules.sets.phantom_findings",
        "Kvasir": "datamodules.sets.polyps",
        "ClinicDB": "datamodules.sets.polyps",
        "ColonDB": "datamodules.sets.polyps",
        "CVC300": "datamodules.sets.polyps",
        "Etis": "datamodules.sets.polyps",
        "QataCov19": "datamodules.sets.qata_cov19",
        "RexGroundingCT": "datamodules.sets.rexgroundingct",
        "AutoPET": "datamodules.sets.autopet",
        "FLARE22": "datamodules.sets.flare22",
        "KiTS23": "datamodules.sets.kits23",
        "WORD": "datamodules.sets.word",
        "TotalSegmentator": "datamodules.sets.totalseg",
    },
)
