"""Agreement between annotators of the same images."""

from entityseg.stats.agreement.image import ImageAgreement, Pairs, compare_image
from entityseg.stats.agreement.information import Information, information
from entityseg.stats.agreement.run import AgreementScore, agreement, agreements
from entityseg.stats.agreement.table import AnnotatorAgreement, TiedAP

__all__ = [
    "AgreementScore",
    "AnnotatorAgreement",
    "ImageAgreement",
    "Information",
    "Pairs",
    "TiedAP",
    "agreement",
    "agreements",
    "compare_image",
    "information",
]
