"""The rule as a milter beside Postfix, whose queue, TLS and SASL are used as they are."""
