using System.Text;

namespace Provisioner.Templates;

/// <summary>A value cannot be written in its place without changing the meaning of what surrounds it.</summary>
public sealed class QuotingException(string message) : Exception(message);

/// <summary>One function a target language: text in, the same text as one word of that language out.</summary>
public static class Quoting
{
    /// <summary>
    /// One word of an iPXE script. iPXE has no quotes: white space splits words, <c>${</c> expands, a word that starts with <c>#</c>
    /// ends the line, and <c>&amp;&amp;</c>, <c>||</c> and <c>;</c> as words of their own end the command (iPXE <c>core/exec.c</c>). What cannot be one
    /// word is refused.
    /// </summary>
    /// <exception cref="QuotingException">The value cannot be one iPXE word.</exception>
    public static string IpxeToken(string value)
    {
        RefuseControlCharacters(value, "an iPXE script");
        if (value.Length == 0 || value.Contains(' ', StringComparison.Ordinal) || value.Contains("${", StringComparison.Ordinal)
            || value[0] == '#' || value is "&&" or "||" or ";")
            throw new QuotingException($"'{value}' cannot be one word of an iPXE script, which has no quotes: no space, no \"${{\", no leading '#', not \"&&\", \"||\" or \";\"");
        return value;
    }

    /// <summary>Words after an iPXE <c>echo</c>: for eyes only, so what would act is replaced by a question mark.</summary>
    public static string IpxeText(string value)
    {
        var text = new StringBuilder(value.Length);
        foreach (var c in value)
            text.Append(c is >= ' ' and <= '~' and not ('$' or '#' or '&' or '|' or ';') ? c : '?');
        return text.ToString();
    }

    /// <summary>One word of a GRUB script in single quotes, inside which nothing expands (GRUB manual, "Quoting").</summary>
    /// <exception cref="QuotingException">A control character.</exception>
    public static string GrubWord(string value)
    {
        RefuseControlCharacters(value, "a GRUB script");
        return $"'{value.Replace("'", "'\\''", StringComparison.Ordinal)}'";
    }

    /// <summary>A path inside a URL, each segment percent-encoded, slashes kept (RFC 3986 §3.3).</summary>
    public static string UrlPath(string value) => string.Join('/', value.Split('/').Select(Uri.EscapeDataString));

    private static void RefuseControlCharacters(string value, string where)
    {
        foreach (var c in value)
        {
            if (char.IsControl(c) || c is '\u2028' or '\u2029')
                throw new QuotingException($"a value holds the control character U+{(int)c:X4}, which {where} cannot carry");
        }
    }
}
