"""Which service or device a sender is: data files with their sources, a strict reader, a matcher.

Nothing here weighs in an assessment. An entry that is wrong can only put a wrong name beside a sender's evidence.
"""
