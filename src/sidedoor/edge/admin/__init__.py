"""The twin's admin endpoint: the cmdlets that Sidedoor itself calls, in the form of Exchange Online's InvokeCommand."""
