using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Protocols.Syslog;

/// <summary>
/// One datagram of syslog as installers send it: RFC 5424, the older form of RFC 3164, and what iPXE sends, which is a priority and a text.
/// </summary>
/// <param name="Severity">0 (emergency) to 7 (debug).</param>
/// <param name="Facility">0 to 23.</param>
/// <param name="Program">Who says it, such as <c>anaconda</c>; null when it does not say.</param>
/// <param name="Text">What it says.</param>
public sealed record SyslogMessage(int Severity, int Facility, string? Program, string Text)
{
    /// <summary>Longer ones are cut by whoever receives them; RFC 5426 §3.2 lets a receiver do so.</summary>
    public const int MaximumLength = 8 * 1024;

    private const int LongestProgram = 48;

    /// <summary>Reads a datagram.</summary>
    /// <param name="datagram">Any bytes at all; nothing is thrown.</param>
    /// <param name="message">What it says.</param>
    /// <param name="reason">When false is returned: why it is none.</param>
    public static bool TryParse(ReadOnlySpan<byte> datagram, [NotNullWhen(true)] out SyslogMessage? message, [NotNullWhen(false)] out string? reason)
    {
        message = null;
        if (datagram.Length > MaximumLength)
            datagram = datagram[..MaximumLength];
        if (datagram.IsEmpty || datagram[0] != '<' || datagram.IndexOf((byte)'>') is not (> 1 and < 5) || !TryPriority(datagram[1..datagram.IndexOf((byte)'>')], out var priority))
        {
            reason = "a syslog message begins with a priority from <0> to <191> (RFC 5424 §6.2.1)";
            return false;
        }
        reason = null;
        var text = Encoding.UTF8.GetString(datagram[(datagram.IndexOf((byte)'>') + 1)..]).Trim('\0', '\n', '\r', ' ', '\ufeff');
        var (program, said) = text.StartsWith("1 ", StringComparison.Ordinal) ? Modern(text) : Older(text);
        message = new SyslogMessage(priority & 7, priority >> 3, program, said);
        return true;
    }

    private static bool TryPriority(ReadOnlySpan<byte> digits, out int priority)
    {
        priority = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9')
                return false;
            priority = priority * 10 + digit - '0';
        }
        return priority <= 191;
    }

    // RFC 5424 §6: VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]
    private static (string? Program, string Text) Modern(string text)
    {
        var rest = text.AsSpan();
        var program = "";
        for (var field = 0; field < 6; field++)
        {
            var space = rest.IndexOf(' ');
            if (space < 0)
                return (null, text);
            if (field == 3)
                program = rest[..space].ToString();
            rest = rest[(space + 1)..];
        }
        if (!rest.IsEmpty && rest[0] == '[')
            rest = AfterStructuredData(rest);
        else if (rest.StartsWith("-"))
            rest = rest[1..];
        return (program is "" or "-" ? null : Cut(program), rest.Trim().TrimStart('\ufeff').ToString());
    }

    private static ReadOnlySpan<char> AfterStructuredData(ReadOnlySpan<char> rest)
    {
        var quoted = false;
        for (var i = 0; i < rest.Length; i++)
        {
            if (rest[i] == '\\' && quoted)
                i++;
            else if (rest[i] == '"')
                quoted = !quoted;
            else if (rest[i] == ']' && !quoted && (i + 1 == rest.Length || rest[i + 1] != '['))
                return rest[(i + 1)..];
        }
        return [];
    }

    // RFC 3164 §4: "Mmm dd hh:mm:ss HOSTNAME TAG[PID]: text"; time and host name are often left out.
    private static (string? Program, string Text) Older(string text)
    {
        var rest = text.AsSpan();
        if (rest.Length > 16 && rest[3] == ' ' && rest[6] == ' ' && rest[9] == ':' && rest[12] == ':' && rest[15] == ' ')
        {
            rest = rest[16..].TrimStart();
            var space = rest.IndexOf(' ');
            if (space > 0 && rest[..space] is var host && !host.EndsWith(":"))
                rest = rest[(space + 1)..].TrimStart();
        }
        var colon = rest.IndexOf(':');
        if (colon is <= 0 or > LongestProgram || rest[..colon].Contains(' '))
            return (null, rest.Trim().ToString());
        var tag = rest[..colon];
        var bracket = tag.IndexOf('[');
        return (Cut((bracket > 0 ? tag[..bracket] : tag).ToString()), rest[(colon + 1)..].Trim().ToString());
    }

    private static string Cut(string program) => program.Length <= LongestProgram ? program : program[..LongestProgram];
}
