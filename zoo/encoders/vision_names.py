"""The names of the vision encoders. No torch here, because a command checks a name before it loads torch."""

from __future__ import annotations

VISION_ENCODERS = {
    "unet": "zoo.encoders.unet.UNetEncoder",
    "conv": "zoo.encoders.conv.ConvEncoder",
    "mednext": "zoo.encoders.mednext.MedNeXtEncoder",
    "segresnet": "zoo.encoders.segresnet.SegResNetEncoder",
    "swin": "zoo.encoders.swin.PlainSwinEncoder",
    "swin_v2": "zoo.encoders.swin.SwinEncoder",
    "convnext": "zoo.encoders.convnext.ConvNeXtEncoder",
    "nnunet": "zoo.encoders.nnunet.NNUNetEncoder",
    "resenc": "zoo.encoders.nnunet.ResidualEncoder",
    "timm:": "zoo.encoders.timm_encoder.TimmEncoder",
}
"""Name -> class. A class is imported when a model asks for it. After a colon comes the name of one of its networks."""
