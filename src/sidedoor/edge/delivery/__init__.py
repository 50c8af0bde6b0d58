"""From the spool to where the mail belongs: a next hop by SMTP or LMTP, Exchange Online, Graph."""
