"""Addresses and numbers that are nobody's: made for documentation, films and tests. They are no personal data."""

from __future__ import annotations

import re

_FILE_SUFFIXES = "png|jpe?g|gif|svg|webp|css|js|ts|html|json|xml|zip|mp4|pdf|txt|service"
# Whole names only: theguardian.com, mail.ru and school.edu are somebody's.
_WHOSE = (
    "domain|(?:web)?sites?|company|business|organi[sz]ation|org|corp|"
    "server|host|machine|app|school|university|client"
)
_DOMAIN = re.compile(
    rf"(?i)\.(?:{_FILE_SUFFIXES}|example|test|invalid|local|localhost)$|"
    r"(?:^|\.)(?:example\d*\.[a-z]{2,}(?:\.[a-z]{2})?|"
    r"(?:sample|test|domain|company|website|acme|abc|xyz|foo|bar|foobar)\.(?:com|net|org)|"
    rf"(?:(?:my|your|our|some)[_-]?(?:{_WHOSE})|your[_-]?(?:e?mail|name|store|shop|blog|project)|somewhere)\d*"
    r"\.[a-z]{2,}(?:\.[a-z]{2})?)$"
)
_NAME = re.compile(
    r"(?i)^(?:(?:user|username|name|e?-?mail|test|tester|testuser|example|sample|someone|somebody|anyone|you|your|foo|bar|"
    r"abc|xyz|recipient|sender|receiver|git|root|ubuntu|ec2-user|no-?reply|donotreply)\d*|x+|"
    r"(?:your|some)[._-][\w.-]*|(?:your|my)[._-]?(?:e?-?mail|name|user|username|address|account|id|gmail|login)\d*|"
    r"(?:j|john|jane|jean)[._-]?doe\d*|first(?:name)?[._-]?last(?:name)?)$"
)
# Set aside: 555 in North America; Ofcom's, ACMA's and Arcep's lists for films. Else made by running a finger along.
_PHONE = re.compile(
    r"^\+1(?:\d{3}555|555)\d{4}|^\+44(?:207946|7700900|1632960|11[3-8]4960|8081570|9098790|3069990)|"
    r"^\+61(?:[2378]5550|[2378]7010|491570)|^\+33(?:1990|2619|3531|4659|5364|63998)|"
    r"(\d)\1{5}|123456|234567|345678|456789|987654|876543"
)
# Test cards of Stripe, PayPal and Adyen, and the numbers of articles about the Luhn formula.
_CARDS = """
4242424242424242 4111111111111111 4012888888881881 4000056655665556 4000000000000002 4000002500003155
5555555555554444 5105105105105100 5200828282828210 2223003122003222 6011111111111117 6011000990139424
6011981111111113 3530111333300000 3566002020360505 6200000000000005 4532015112830366 4539578763621486
4716461583322103 378282246310005 371449635398431 378734493671000
"""
# The examples of the IBAN registry, of banks and of encyclopaedias.
_ACCOUNTS = """
GB29NWBK60161331926819 GB82WEST12345698765432 GB33BUKB20201555555555 GB94BARC10201530093459
DE89370400440532013000 DE75512108001245126199 DE02120300000000202051 FR1420041010050500013M02606
FR7630006000011234567890189 ES9121000418450200051332 ES7921000813610123456789 IT60X0542811101000000123456
NL91ABNA0417164300 NL02ABNA0123456789 BE68539007547034 BE71096123456769 CH9300762011623852957
AT611904300234573201 AT483200000012345864 PL61109010140000071219812874 IE29AIBK93115212345678
SE4550000000058398257466 NO9386011117947 DK5000400440116243 FI2112345600000785 PT50000201231234567890154
GR1601101250000000012300695 SA0380000000608010167519 BR1800360305000010009795493C1
"""


def has_address(name: str, domain: str) -> bool:
    """Whether an e-mail address is a placeholder, or no address but a file such as `logo@2x.png`."""
    return bool(_DOMAIN.search(domain) or _NAME.search(name))


def has_phone(number: str) -> bool:
    """Whether a number, `+` and country first, is set aside for fiction or has six digits in a row."""
    return bool(_PHONE.search(number))


def has_card(digits: str) -> bool:
    """Whether a card number is one that shops use for tests, or has hardly any different digits."""
    return digits in _CARDS.split() or len(set(digits)) < 4 or "123456" in digits


def has_account(iban: str) -> bool:
    """Whether an account number, without spaces, is a published example."""
    return iban in _ACCOUNTS.split()
