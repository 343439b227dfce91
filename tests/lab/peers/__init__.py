"""The programs of the lab that speak SMTP, one file each. `PROGRAMS` is what a scenario may name."""

from peers.exim import Exim
from peers.opensmtpd import OpenSmtpd
from peers.postfix import Postfix
from peers.postrider import Postrider
from peers.sendmail import Sendmail

PROGRAMS = {
    "postrider": Postrider,
    "postrider2": Postrider,
    "postfix": Postfix,
    "exim": Exim,
    "opensmtpd": OpenSmtpd,
    "sendmail": Sendmail,
}
