namespace Provisioner.Tests.Installing;

/// <summary>
/// What the kickstart of RHEL 8, 9 and 10 takes, as far as answers use it: from pykickstart's handlers rhel8, rhel9 and rhel10, which no
/// Debian package brings. Anything that is not here is a mistake, so a new command has to be looked up first.
/// </summary>
internal static class KickstartGrammar
{
    private static readonly int[] All = [8, 9, 10];

    private static readonly Dictionary<string, (int[] Versions, string[] Options)> Commands = new(StringComparer.Ordinal)
    {
        ["text"] = (All, ["--non-interactive"]),
        ["lang"] = (All, ["--addsupport"]),
        ["keyboard"] = (All, ["--xlayouts", "--vckeymap", "--switch"]),
        // --isUtc is another spelling of --utc up to 9; --ntpservers gave way to timesource (F33), and is gone in 10 (F40).
        ["timezone"] = (All, ["--utc"]),
        ["timesource"] = ([9, 10], ["--ntp-server", "--ntp-pool", "--ntp-disable", "--nts"]),
        ["url"] = (All, ["--url", "--proxy", "--noverifyssl", "--mirrorlist", "--metalink"]),
        // --noverifyssl came later than 8; --ignoregroups is gone in 10.
        ["repo"] = (All, ["--name", "--baseurl", "--mirrorlist", "--metalink", "--install", "--cost", "--proxy"]),
        ["network"] = (All, ["--device", "--bootproto", "--onboot", "--activate", "--hostname", "--ip", "--netmask", "--gateway", "--nameserver", "--noipv6", "--mtu"]),
        // --level is deprecated in 9 (F34) and gone in 10 (F40).
        ["logging"] = (All, ["--host", "--port"]),
        ["rootpw"] = (All, ["--lock", "--iscrypted", "--plaintext"]),
        ["user"] = (All, ["--name", "--password", "--iscrypted", "--lock", "--groups", "--shell", "--uid", "--gid", "--gecos", "--homedir"]),
        ["sshkey"] = (All, ["--username"]),
        ["selinux"] = (All, ["--enforcing", "--permissive", "--disabled"]),
        ["firewall"] = (All, ["--enabled", "--disabled", "--port", "--service", "--trust"]),
        ["firstboot"] = (All, ["--disable", "--enable"]),
        ["services"] = (All, ["--enabled", "--disabled"]),
        ["reboot"] = (All, ["--eject", "--kexec"]),
        ["zerombr"] = (All, []),
        ["ignoredisk"] = (All, ["--only-use", "--drives"]),
        ["clearpart"] = (All, ["--all", "--initlabel", "--disklabel", "--drives"]),
        ["bootloader"] = (All, ["--boot-drive", "--append", "--location"]),
        ["part"] = (All, ["--fstype", "--size", "--grow", "--ondisk", "--encrypted", "--luks-version", "--passphrase"]),
        ["raid"] = (All, ["--device", "--level", "--fstype", "--encrypted", "--luks-version", "--passphrase"]),
        ["volgroup"] = (All, []),
        ["logvol"] = (All, ["--vgname", "--name", "--fstype", "--size", "--grow"]),
        ["%include"] = (All, []),
    };

    private static readonly Dictionary<string, string[]> SectionOptions = new(StringComparer.Ordinal)
    {
        ["%packages"] = ["--ignoremissing", "--retries", "--timeout"],
        ["%pre"] = ["--interpreter", "--erroronfail", "--log"],
        ["%post"] = ["--interpreter", "--erroronfail", "--log", "--nochroot"],
        ["%onerror"] = ["--interpreter", "--erroronfail", "--log"],
    };

    public static IEnumerable<string> Mistakes(string text, int major)
    {
        string? section = null;
        var number = 0;
        foreach (var line in text.Split('\n'))
        {
            number++;
            // A section ends at its %end, wherever that stands: pykickstart reads lines, not shell.
            if (section is not null)
            {
                if (line.Trim() == "%end" || line.StartsWith("%end", StringComparison.Ordinal))
                    section = null;
                else if (line.StartsWith('%'))
                    yield return $"{number}: '{line}' begins with a percent sign inside {section}";
                continue;
            }
            if (line.Trim().Length == 0 || line.StartsWith('#'))
                continue;
            if (Split(line) is not { } words)
            {
                yield return $"{number}: '{line}' has an open quote";
                continue;
            }
            if (line.StartsWith('%') && words[0] != "%include")
            {
                section = words[0];
                if (!SectionOptions.TryGetValue(words[0], out var known))
                    yield return $"{number}: there is no section {words[0]}";
                else if (words.Skip(1).FirstOrDefault(w => !known.Contains(w.Split('=')[0])) is { } wrong)
                    yield return $"{number}: {words[0]} takes no {wrong}";
                continue;
            }
            if (!Commands.TryGetValue(words[0], out var command) || !command.Versions.Contains(major))
            {
                yield return $"{number}: RHEL {major} has no command '{words[0]}'";
                continue;
            }
            foreach (var option in words.Skip(1).Where(w => w.StartsWith("--", StringComparison.Ordinal)).Select(w => w.Split('=')[0]))
            {
                if (!command.Options.Contains(option) && !(words[0] == "timezone" && option == "--ntpservers" && major == 8))
                    yield return $"{number}: {words[0]} of RHEL {major} takes no {option}";
            }
            if (words[0] is "part" or "logvol" && words.ElementAtOrDefault(1) == "swap")
                yield return $"{number}: swap, which nodeadm refuses";
        }
        if (section is not null)
            yield return $"{section} has no %end";
    }

    public static IEnumerable<(string Header, string Body)> Sections(string text)
    {
        string? header = null;
        var body = new List<string>();
        foreach (var line in text.Split('\n'))
        {
            if (header is not null && line.StartsWith("%end", StringComparison.Ordinal))
            {
                yield return (header, string.Concat(body.Select(l => l + "\n")));
                header = null;
                body.Clear();
            }
            else if (header is not null)
                body.Add(line);
            else if (line.StartsWith('%') && !line.StartsWith("%include", StringComparison.Ordinal))
                header = line;
        }
    }

    /// <summary>Words as Python's <c>shlex.split(line, comments=True)</c> gives them; null for an open quote.</summary>
    public static List<string>? Split(string line)
    {
        var words = new List<string>();
        var word = new System.Text.StringBuilder();
        var inWord = false;
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (c is '\'' or '"')
            {
                var end = i + 1;
                inWord = true;
                for (; end < line.Length && line[end] != c; end++)
                {
                    if (c == '"' && line[end] == '\\' && end + 1 < line.Length && line[end + 1] is '"' or '\\')
                        end++;
                    word.Append(line[end]);
                }
                if (end >= line.Length)
                    return null;
                i = end;
            }
            else if (c == '\\')
            {
                if (++i >= line.Length)
                    return null;
                word.Append(line[i]);
                inWord = true;
            }
            else if (c is ' ' or '\t' or '\r')
            {
                if (inWord)
                    words.Add(word.ToString());
                word.Clear();
                inWord = false;
            }
            else if (c == '#')
                break; // shlex takes it for a comment in the middle of a word as well.
            else
            {
                word.Append(c);
                inWord = true;
            }
        }
        if (inWord)
            words.Add(word.ToString());
        return words;
    }
}
