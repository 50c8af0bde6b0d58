<#
.SYNOPSIS
Collects what `sidedoor audit` reads: the tenant's settings, message traces, and details of messages that decide most.
.DESCRIPTION
Reads only. Needs the module ExchangeOnlineManagement 3.7 or newer and the role "View-Only Recipients" with "View-Only
Configuration" (both in the role group "View-Only Organization Management").
Safe to run again: it goes on with the same stretch, windows that are complete are passed over, one that was cut off
begins anew, and details go on where they stopped. What could not be had is in collection.json, for the audit to say.
Works in Windows PowerShell 5.1 and PowerShell 7.
Limits of the service that are kept: 10 days and 5,000 rows a query, 100 queries in five minutes.
.EXAMPLE
Connect-ExchangeOnline; ./collector.ps1 -Folder export
#>
[CmdletBinding()]
param(
    [string] $Folder = 'export',
    [string] $Since = @SINCE@,
    [string] $Until = @UNTIL@,
    [int] $Details = @DETAILS@
)
Set-StrictMode -Version 1
$ErrorActionPreference = 'Stop'
$culture = [Globalization.CultureInfo]::InvariantCulture
$utf8 = New-Object -TypeName Text.UTF8Encoding -ArgumentList $false
$ignoreCase = [StringComparer]::OrdinalIgnoreCase

# The service's times are UTC, whatever kind the module makes of them.
function ConvertTo-Moment($Value) {
    if ($Value -isnot [DateTime]) {
        return [DateTime]::Parse("$Value", $culture, [Globalization.DateTimeStyles]'AssumeUniversal, AdjustToUniversal')
    }
    if ($Value.Kind -eq [DateTimeKind]::Local) { return $Value.ToUniversalTime() }
    [DateTime]::SpecifyKind($Value, [DateTimeKind]::Utc)
}

# Seven digits and a Z: Export-Csv would write the time in the culture of this machine, and 11/3/2026 is two days.
function Format-Moment([DateTime] $Moment) { $Moment.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", $culture) }

# Up to the next millisecond: the finer digits may get lost on the way, and rows of that instant with them.
function Get-Ceiling([DateTime] $Moment) {
    $rest = $Moment.Ticks % 10000
    if ($rest) { $Moment.AddTicks(10000 - $rest) } else { $Moment }
}

# Whole or not at all: a file that was cut off would be read as complete.
function Save-Text([string] $Path, [string] $Text) {
    $new = "$Path.new"
    [IO.File]::WriteAllText($new, $Text, $utf8)
    Move-Item -LiteralPath $new -Destination $Path -Force
}

# Half a line that a cut left at the end goes.
function Repair-Lines([string] $Path) {
    if (-not (Test-Path -LiteralPath $Path)) { return }
    $text = [IO.File]::ReadAllText($Path, $utf8)
    $end = $text.LastIndexOf("`n") + 1
    if ($end -lt $text.Length) { Save-Text $Path $text.Substring(0, $end) }
}

$script:clock = [Diagnostics.Stopwatch]::StartNew()
$script:sent = New-Object -TypeName 'Collections.Generic.Queue[double]'
$script:requests = 0

# At most 95 queries within any five minutes, so that a person can look at the portal meanwhile. The stopwatch runs on
# when the clock is set.
function Wait-Turn {
    while ($script:sent.Count -gt 0 -and $script:clock.Elapsed.TotalSeconds - $script:sent.Peek() -ge 305) {
        [void] $script:sent.Dequeue()
    }
    if ($script:sent.Count -ge 95) {
        $left = 305 - ($script:clock.Elapsed.TotalSeconds - $script:sent.Peek())
        Write-Host ("  limit of the service: waiting {0:N0} s" -f $left)
        Start-Sleep -Seconds ([Math]::Max(1, [Math]::Ceiling($left)))
        [void] $script:sent.Dequeue()
    }
    $script:sent.Enqueue($script:clock.Elapsed.TotalSeconds)
    $script:requests++
}

# Runs one query; what may pass is tried again, longer and longer apart. What the tenant forbids does not pass.
function Invoke-Patiently([scriptblock] $Action) {
    for ($attempt = 1; ; $attempt++) {
        Wait-Turn
        try { return , @(& $Action) }
        catch {
            if ($attempt -ge 7 -or "$_" -match '\b40[13]\b|unauthori[sz]ed|forbidden|access.{0,20}denied') { throw }
            $wait = [Math]::Min(300, 5 * [Math]::Pow(2, $attempt))
            if ("$_" -match 'surpassed the permitted limit|throttl|\b429\b') { $wait = 300 }
            Write-Warning ("{0}; again in {1:N0} s" -f "$_".Trim(), $wait)
            Start-Sleep -Seconds $wait
        }
    }
}

foreach ($name in 'Get-OrganizationConfig', 'Get-MessageTraceV2', 'Get-MessageTraceDetailV2') {
    if (-not (Get-Command $name -ErrorAction SilentlyContinue)) {
        throw "$name is not there: run Connect-ExchangeOnline first (module ExchangeOnlineManagement 3.7 or newer)"
    }
}
$Folder = (New-Item -ItemType Directory -Force -Path $Folder).FullName
$parts = (New-Item -ItemType Directory -Force -Path (Join-Path $Folder '.collect')).FullName

# --- The stretch: that of the first run, so that a later one goes on with the same windows.
$now = [DateTime]::UtcNow
$oldest = $now.AddDays(-90).AddHours(1)
$end = if ($Until) { ConvertTo-Moment $Until } else { $now.Date }
$start = if ($Since) { ConvertTo-Moment $Since } else { $now.Date.AddDays(-89) }
$kept = Join-Path $parts 'stretch.txt'
if (Test-Path -LiteralPath $kept) {
    $first = @([IO.File]::ReadAllLines($kept))
    if (($Since -and $first[2] -ne $Since) -or ($Until -and $first[3] -ne $Until)) {
        throw "$Folder holds another collection ($($first[0]) to $($first[1])): use a new folder, or ask the same"
    }
    $start = ConvertTo-Moment $first[0]
    $end = ConvertTo-Moment $first[1]
}
else {
    if ($start -lt $oldest) { $start = $oldest }
    if ($end -gt $now) { $end = $now }
    if ($start -ge $end) { throw 'nothing to collect: -Since lies behind -Until, or -Until is more than 90 days ago' }
    Save-Text $kept ((@((Format-Moment $start), (Format-Moment $end), $Since, $Until) -join "`n") + "`n")
}
$windows = @()
for ($from = $start; $from -lt $end; $from = $to) {
    $to = $from.AddDays(9.9)
    if ($to -gt $end) { $to = $end }
    $file = 'MessageTraceV2-' + $from.ToString("yyyyMMdd'T'HHmmss", $culture) + '.csv'
    $windows += [pscustomobject] @{ From = $from; To = $to; File = $file; Path = (Join-Path $Folder $file) }
}
Write-Host ("traces: {0} windows; 1,000,000 messages take about {1} min; details of {2} messages about {3} min" -f
    $windows.Count, ([Math]::Floor((200 + 2 * $windows.Count) / 95) * 5), $Details, ([Math]::Floor($Details / 95) * 5))

# --- collection.json says what is missing, from the first moment on: a script that is stopped says nothing more.
$nouns = 'OrganizationConfig', 'AcceptedDomain', 'InboundConnector', 'TransportRule', 'HostedConnectionFilterPolicy'
$script:failed = @{}
$script:settings = @()
$script:detailsDone = $false

function Get-Lacking([string] $File) {
    $path = Join-Path $parts "$File.lacking.txt"
    if (Test-Path -LiteralPath $path) { @([IO.File]::ReadAllLines($path)) } else { @() }
}

function Add-Lacking([string] $File, [string] $Why) {
    Write-Warning "${File}: $Why"
    [IO.File]::AppendAllText((Join-Path $parts "$File.lacking.txt"), "$Why`n", $utf8)
}

function Save-Told {
    $again = 'run the same script again'
    $missing = New-Object -TypeName Collections.ArrayList
    foreach ($noun in $nouns) {
        if ($script:settings -contains "$noun.json") { continue }
        $why = if ($script:failed.ContainsKey($noun)) { $script:failed[$noun] } else { 'not asked for yet' }
        [void] $missing.Add([ordered] @{ what = 'settings'; why = "Get-${noun}: $why"; how_to_get_it = $again })
    }
    $files = New-Object -TypeName Collections.ArrayList
    foreach ($window in $windows) {
        foreach ($why in @(Get-Lacking $window.File)) {
            [void] $missing.Add([ordered] @{ what = 'traces'; why = "$($window.File): $why"
                    how_to_get_it = 'a historical search of that time (Start-HistoricalSearch)' })
        }
        if (Test-Path -LiteralPath $window.Path) { [void] $files.Add([ordered] @{ path = $window.File }); continue }
        if ($window.To -le $oldest) { continue }
        $why = 'not collected to its end'
        if ($script:failed.ContainsKey($window.File)) { $why = $script:failed[$window.File] }
        [void] $missing.Add([ordered] @{ what = 'traces'; why = "$($window.File): $why"; how_to_get_it = $again })
    }
    if ($Details -gt 0 -and -not $script:detailsDone) {
        $why = if ($script:failed.ContainsKey('details')) { $script:failed['details'] } else { 'not all asked for yet' }
        [void] $missing.Add([ordered] @{ what = 'details'; why = "details: $why"; how_to_get_it = $again })
    }
    $told = [ordered] @{ schema = 'sidedoor/collection/1'; tenant = ''; since = (Format-Moment $start)
        until = (Format-Moment $end); written = (Format-Moment ([DateTime]::UtcNow)); complete = ($missing.Count -eq 0)
        settings = @($script:settings); files = $files; requests = $script:requests; settling_seconds = 14400
        missing = $missing }
    Save-Text (Join-Path $Folder 'collection.json') (ConvertTo-Json -InputObject $told -Depth 4)
    $missing.Count
}
[void] (Save-Told)

# --- Settings. An empty set says of what it is, because ConvertTo-Json writes nothing at all for it.
$domains = @()
foreach ($noun in $nouns) {
    try {
        $query = @{ ErrorAction = 'Stop' }
        if ($noun -eq 'TransportRule') { $query.ResultSize = 'Unlimited' }
        $rows = @(& "Get-$noun" @query)
        if ($rows.Count -eq 0 -and $noun -notin 'InboundConnector', 'TransportRule') {
            throw 'an empty answer, which no tenant can give'
        }
        $set = [ordered] @{ cmdlet = "Get-$noun"; value = $rows }
        Save-Text (Join-Path $Folder "$noun.json") (ConvertTo-Json -InputObject $set -Depth 6)
        $script:settings += "$noun.json"
        if ($noun -eq 'AcceptedDomain') { $domains = $rows }
        Write-Host "Get-${noun}: $($rows.Count)"
    }
    catch {
        $script:failed[$noun] = "$_".Trim()
        Write-Warning "Get-${noun} is missing: $_"
    }
}

# --- Message traces, the oldest window first: what is 90 days old today is gone tomorrow.
$columns = 'MessageTraceId', 'MessageId', 'Received', 'SenderAddress', 'RecipientAddress', 'FromIP', 'ToIP', 'Status',
    'Size'

function Format-Row($Row, [DateTime] $Received) {
    $cells = foreach ($name in $columns) {
        $value = if ($name -eq 'Received') { Format-Moment $Received } else { $Row.$name }
        if ($null -eq $value) { '""' } else { '"' + [Convert]::ToString($value, $culture).Replace('"', '""') + '"' }
    }
    $cells -join ','
}

# Nobody's word that there are no more rows is taken: a window ends when a query from its oldest row brings nothing new.
function Save-Window([DateTime] $From, [DateTime] $To, [string] $Path, [string] $File) {
    $seen = New-Object -TypeName 'Collections.Generic.HashSet[string]' -ArgumentList $ignoreCase
    $lacking = @()
    $moved = $false
    $stepped = $false
    $query = @{ StartDate = $From; EndDate = $To; ResultSize = 5000 }
    $writer = New-Object -TypeName IO.StreamWriter -ArgumentList "$Path.new", $false, $utf8
    try {
        $writer.WriteLine(($columns | ForEach-Object { '"' + $_ + '"' }) -join ',')
        while ($true) {
            # The only sign of a cut answer is a warning, so warnings are taken in with the rows.
            $answer = Invoke-Patiently { Get-MessageTraceV2 @query -WarningAction Continue -ErrorAction Stop 3>&1 }
            $warnings = @($answer | Where-Object { $_ -is [Management.Automation.WarningRecord] })
            $rows = @($answer | Where-Object { $_ -isnot [Management.Automation.WarningRecord] })
            $fresh = 0
            $inside = 0
            $last = $null
            $past = $false
            foreach ($row in $rows) {
                $received = ConvertTo-Moment $row.Received
                $past = $received -lt $From
                # A row at the end of a window is the next one's.
                if ($past -or $received -ge $To) { continue }
                $inside++
                $whom = "$($row.RecipientAddress)"
                if ($null -eq $last -or $received -lt $last) {
                    $last = $received
                    $ordered = $true
                    $recipient = $whom
                }
                elseif ($received -eq $last) {
                    $ordered = $ordered -and $ignoreCase.Compare($recipient, $whom) -le 0
                    $recipient = $whom
                }
                # A row at the end of a page comes twice, and perhaps with another status.
                if (-not $seen.Add("$($row.MessageTraceId) $($row.RecipientAddress)")) { continue }
                $writer.WriteLine((Format-Row $row $received))
                $fresh++
            }
            if ($fresh) {
                Write-Host ("  {0:N0} rows, back to {1}" -f $seen.Count, (Format-Moment $last))
                # Both of them; by the time alone where the recipients of that instant are in no order.
                $query.EndDate = Get-Ceiling $last
                $query.Remove('StartingRecipientAddress')
                if ($ordered) { $query.StartingRecipientAddress = $recipient }
                $moved = $true
                $stepped = $false
                continue
            }
            $more = $rows.Count -ge 5000 -or "$warnings" -match 'more results|truncat'
            if (-not $more -or ($past -and $inside -le 1)) { break }
            $where = Format-Moment $query.EndDate
            if ($stepped -or -not $moved) {
                $lacking += "messages before ${where}: the service says there are more and gives the same again"
                break
            }
            $lacking += "messages of the instant ${where}: as many as the service lists, perhaps more"
            $query.EndDate = $query.EndDate.AddMilliseconds(-1)
            $query.Remove('StartingRecipientAddress')
            $stepped = $true
        }
    }
    finally { $writer.Dispose() }
    foreach ($why in $lacking) { Add-Lacking $File $why }
    Move-Item -LiteralPath "$Path.new" -Destination $Path -Force
}

$inARow = 0
foreach ($window in $windows) {
    if (Test-Path -LiteralPath $window.Path) { Write-Host "$($window.File) is there already"; continue }
    $from = if ($window.From -lt $oldest) { $oldest } else { $window.From }
    if ($from -gt $window.From -and @(Get-Lacking $window.File).Count -eq 0) {
        Add-Lacking $window.File 'some of it is more than 90 days old by now, and gone'
    }
    if ($from -ge $window.To) { continue }
    Write-Host "$(Format-Moment $from) to $(Format-Moment $window.To)"
    try {
        Save-Window $from $window.To $window.Path $window.File
        $script:failed.Remove($window.File)
        $inARow = 0
    }
    catch {
        $script:failed[$window.File] = "$_".Trim()
        Write-Warning "$($window.File): $_"
        $inARow++
    }
    [void] (Save-Told)
    # One after the other: the next would fail too.
    if ($inARow -ge 2) { break }
}

# --- Details: one message of each sender and address in a domain of ours, the busiest first, then a second, and so on.
$there = @($windows | Where-Object { Test-Path -LiteralPath $_.Path })
if ($Details -gt 0 -and $there.Count -gt 0 -and $domains.Count -gt 0 -and $inARow -lt 2) {
    $own = New-Object -TypeName 'Collections.Generic.HashSet[string]' -ArgumentList $ignoreCase
    foreach ($domain in $domains) { [void] $own.Add("$($domain.DomainName)") }
    $flows = @{}
    foreach ($window in $there) {
        Import-Csv -LiteralPath $window.Path -Encoding UTF8 |
            Where-Object { $_.FromIP -and $own.Contains(($_.SenderAddress -split '@')[-1]) } |
            ForEach-Object {
                $key = "$($_.FromIP) $($_.SenderAddress)".ToLowerInvariant()
                if (-not $flows.ContainsKey($key)) {
                    $samples = New-Object -TypeName Collections.ArrayList
                    $flows[$key] = [pscustomobject] @{ Rows = 0; Samples = $samples }
                }
                $flow = $flows[$key]
                $flow.Rows++
                # The first, second, fourth, eighth ... row.
                if (($flow.Rows -band ($flow.Rows - 1)) -eq 0 -and $flow.Samples.Count -lt 12) {
                    [void] $flow.Samples.Add(@($_.MessageTraceId, $_.RecipientAddress, $_.Received))
                }
            }
    }
    $heaviest = @($flows.Values | Sort-Object -Property Rows -Descending)
    $done = Join-Path $parts 'details.txt'
    $lines = Join-Path $parts 'details.jsonl'
    Repair-Lines $done
    Repair-Lines $lines
    $asked = New-Object -TypeName 'Collections.Generic.HashSet[string]' -ArgumentList $ignoreCase
    if (Test-Path -LiteralPath $done) { foreach ($id in [IO.File]::ReadAllLines($done)) { [void] $asked.Add($id) } }
    $failures = 0
    for ($round = 0; $round -lt 12 -and $failures -lt 5; $round++) {
        foreach ($flow in $heaviest) {
            if ($asked.Count -ge $Details -or $failures -ge 5) { break }
            if ($round -ge $flow.Samples.Count -or $asked.Contains($flow.Samples[$round][0])) { continue }
            $id, $recipient, $received = $flow.Samples[$round]
            $moment = ConvertTo-Moment $received
            # Without dates only the last 48 hours are looked at, and an older message gives nothing, without an error.
            $query = @{ MessageTraceId = $id; RecipientAddress = $recipient
                StartDate = $moment.AddHours(-1); EndDate = $moment.AddDays(2) }
            if ($query.EndDate -gt [DateTime]::UtcNow) { $query.EndDate = [DateTime]::UtcNow }
            try {
                $events = Invoke-Patiently {
                    Get-MessageTraceDetailV2 @query -WarningAction SilentlyContinue -ErrorAction Stop
                }
                $failures = 0
            }
            catch {
                Write-Warning "details of ${id}: $_"
                $script:failed['details'] = "$_".Trim()
                $failures++
                continue
            }
            $text = New-Object -TypeName Text.StringBuilder
            foreach ($item in $events) {
                $record = [ordered] @{
                    MessageTraceId = "$($item.MessageTraceId)"; MessageId = "$($item.MessageId)"
                    Date = (Format-Moment (ConvertTo-Moment $item.Date)); Event = "$($item.Event)"
                    Action = "$($item.Action)"; Detail = "$($item.Detail)"; Data = "$($item.Data)"
                }
                [void] $text.AppendLine((ConvertTo-Json -InputObject $record -Compress))
            }
            [IO.File]::AppendAllText($lines, $text.ToString(), $utf8)
            [IO.File]::AppendAllText($done, "$id`n", $utf8)
            [void] $asked.Add($id)
            if ($asked.Count % 25 -eq 0) { Write-Host "  details of $($asked.Count) messages" }
        }
    }
    $script:detailsDone = -not $script:failed.ContainsKey('details')
    # An event that a cut wrote twice counts once.
    if (Test-Path -LiteralPath $lines) {
        $unique = New-Object -TypeName 'Collections.Generic.HashSet[string]'
        $events = @([IO.File]::ReadAllLines($lines, $utf8) | Where-Object { $_ -and $unique.Add($_) })
        Save-Text (Join-Path $Folder 'MessageTraceDetailV2.json') ("[`n" + ($events -join ",`n") + "`n]`n")
    }
}
$count = Save-Told
if ($count) { Write-Warning "$count things are missing: collection.json says what, and so will the audit" }
Write-Host "Done. Now: sidedoor audit $Folder"
