"""The models: a file or a package per method. Methods do not import each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from zoo.models.attention_unet import AttentionUNet as AttentionUNet
    from zoo.models.base import SegModule as SegModule
    from zoo.models.bipvl.model import BiPVL as BiPVL
    from zoo.models.bipvl.released import BiPVLReleased as BiPVLReleased
    from zoo.models.cat_text import CATText as CATText
    from zoo.models.clip_universal import ClipUniversal as ClipUniversal
    from zoo.models.clipseg import CLIPSeg as CLIPSeg
    from zoo.models.cris import CRIS as CRIS
    from zoo.models.cris import CRISReleased as CRISReleased
    from zoo.models.dd_cmd import DDCMD as DDCMD
    from zoo.models.film import FiLM as FiLM
    from zoo.models.fpn import FPN as FPN
    from zoo.models.guided import GuidedReleased as GuidedReleased
    from zoo.models.lan_guide import LanGuide as LanGuide
    from zoo.models.lvit.model import LViT as LViT
    from zoo.models.lvit.model import LViTReleased as LViTReleased
    from zoo.models.medclipseg.model import MedCLIPSeg as MedCLIPSeg
    from zoo.models.medclipseg.model import MedCLIPSegReleased as MedCLIPSegReleased
    from zoo.models.mednext import MedNeXt as MedNeXt
    from zoo.models.mmi_unet import MMIReleased as MMIReleased
    from zoo.models.mmi_unet import MMIUNet as MMIUNet
    from zoo.models.nnunet import NNUNet as NNUNet
    from zoo.models.nnunet import ResEncUNet as ResEncUNet
    from zoo.models.output import Output as Output
    from zoo.models.reclmis.model import RecLMIS as RecLMIS
    from zoo.models.reclmis.model import RecLMISReleased as RecLMISReleased
    from zoo.models.sat import SAT as SAT
    from zoo.models.sat import SATReleased as SATReleased
    from zoo.models.segresnet import SegResNet as SegResNet
    from zoo.models.seqca import SeqCA as SeqCA
    from zoo.models.seqca import SeqCAReleased as SeqCAReleased
    from zoo.models.sgseg import SGSeg as SGSeg
    from zoo.models.swin_unetr import SwinUNETR as SwinUNETR
    from zoo.models.tevia.model import TeViA as TeViA
    from zoo.models.tevia.released import TeViAReleased as TeViAReleased
    from zoo.models.text_query import TextQuery as TextQuery
    from zoo.models.tmca.model import TMCA as TMCA
    from zoo.models.unet import UNet as UNet
    from zoo.models.unet_concat import UNetConcat as UNetConcat
    from zoo.models.unet_hyper import UNetHyper as UNetHyper
    from zoo.models.unetpp import UNetPlusPlus as UNetPlusPlus
    from zoo.models.unetr import UNETR as UNETR
    from zoo.models.voxtell import VoxTell as VoxTell

__all__ = [
    "CRIS",
    "DDCMD",
    "FPN",
    "SAT",
    "TMCA",
    "UNETR",
    "AttentionUNet",
    "BiPVL",
    "BiPVLReleased",
    "CATText",
    "CLIPSeg",
    "CRISReleased",
    "ClipUniversal",
    "FiLM",
    "GuidedReleased",
    "LViT",
    "LViTReleased",
    "LanGuide",
    "MMIReleased",
    "MMIUNet",
    "MedCLIPSeg",
    "MedCLIPSegReleased",
    "MedNeXt",
    "NNUNet",
    "Output",
    "RecLMIS",
    "RecLMISReleased",
    "ResEncUNet",
    "SATReleased",
    "SGSeg",
    "SegModule",
    "SegResNet",
    "SeqCA",
    "SeqCAReleased",
    "SwinUNETR",
    "TeViA",
    "TeViAReleased",
    "TextQuery",
    "UNet",
    "UNetConcat",
    "UNetHyper",
    "UNetPlusPlus",
    "VoxTell",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Output": "zoo.models.output",
        "SegModule": "zoo.models.base",
        "BiPVL": "zoo.models.bipvl.model",
        "BiPVLReleased": "zoo.models.bipvl.released",
        "TeViA": "zoo.models.tevia.model",
        "TeViAReleased": "zoo.models.tevia.released",
        "TMCA": "zoo.models.tmca.model",
        "GuidedReleased": "zoo.models.guided",
        "LanGuide": "zoo.models.lan_guide",
        "LViT": "zoo.models.lvit.model",
        "LViTReleased": "zoo.models.lvit.model",
        "MMIReleased": "zoo.models.mmi_unet",
        "MMIUNet": "zoo.models.mmi_unet",
        "CRIS": "zoo.models.cris",
        "CRISReleased": "zoo.models.cris",
        "CATText": "zoo.models.cat_text",
        "ClipUniversal": "zoo.models.clip_universal",
        "CLIPSeg": "zoo.models.clipseg",
        "DDCMD": "zoo.models.dd_cmd",
        "FiLM": "zoo.models.film",
        "NNUNet": "zoo.models.nnunet",
        "ResEncUNet": "zoo.models.nnunet",
        "RecLMIS": "zoo.models.reclmis.model",
        "RecLMISReleased": "zoo.models.reclmis.model",
        "SGSeg": "zoo.models.sgseg",
        "SAT": "zoo.models.sat",
        "SATReleased": "zoo.models.sat",
        "SeqCA": "zoo.models.seqca",
        "SeqCAReleased": "zoo.models.seqca",
        "TextQuery": "zoo.models.text_query",
        "UNet": "zoo.models.unet",
        "UNetPlusPlus": "zoo.models.unetpp",
        "AttentionUNet": "zoo.models.attention_unet",
        "SegResNet": "zoo.models.segresnet",
        "MedCLIPSeg": "zoo.models.medclipseg.model",
        "MedCLIPSegReleased": "zoo.models.medclipseg.model",
        "MedNeXt": "zoo.models.mednext",
        "SwinUNETR": "zoo.models.swin_unetr",
        "UNETR": "zoo.models.unetr",
        "FPN": "zoo.models.fpn",
        "UNetConcat": "zoo.models.unet_concat",
        "UNetHyper": "zoo.models.unet_hyper",
        "VoxTell": "zoo.models.voxtell",
    },
)
