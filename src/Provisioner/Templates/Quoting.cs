using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Templates;

/// <summary>A value cannot be written in its place without changing the meaning of what surrounds it.</summary>
public sealed class QuotingException(string message) : Exception(message);

/// <summary>One function a target language: text in, the same text as one word of that language out.</summary>
public static class Quoting
{
    private static readonly SearchValues<char> Usual = SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c)]);

    private static readonly SearchValues<char> UsualInLines = SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c), '\n', '\t']);

    // The programs that join a host are the same for every one, and nine tenths of what is quoted. By reference: nothing is kept that nobody has.
    private static readonly ConditionalWeakTable<string, string> LongShellWords = [];

    private const int Long = 4096;

    private static readonly JsonSerializerOptions JsonText = new() { Encoder = JavaScriptEncoder.Default };

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

    /// <summary>
    /// One word of a POSIX shell in single quotes, inside which nothing expands (POSIX.1-2017, 2.2.2). It may have several lines. None of
    /// them begins with a percent sign: in a kickstart file that would be the end of the section the script stands in.
    /// </summary>
    /// <exception cref="QuotingException">A control character other than line feed and tab, or half a character.</exception>
    public static string ShellWord(string value) => value.Length < Long ? ShellWordOf(value) : LongShellWords.GetValue(value, ShellWordOf);

    private static string ShellWordOf(string value)
    {
        RefuseControlCharacters(value, "a shell script", lines: true);
        return $"'{value.Replace("'", "'\\''", StringComparison.Ordinal).Replace("\n%", "\n''%", StringComparison.Ordinal)}'";
    }

    /// <summary>One word of a kickstart command, which pykickstart splits by the shell's rules (Python's <c>shlex</c>).</summary>
    /// <exception cref="QuotingException">A control character.</exception>
    public static string KickstartWord(string value)
    {
        RefuseControlCharacters(value, "a kickstart file");
        return $"'{value.Replace("'", "'\\''", StringComparison.Ordinal)}'";
    }

    /// <summary>One line of a kickstart file's <c>%packages</c>, which has no quotes: <c>@</c>, <c>-</c> and <c>#</c> mean something there.</summary>
    /// <exception cref="QuotingException">Not a package's name.</exception>
    public static string KickstartPackage(string value)
    {
        if (value.Length == 0 || !char.IsAsciiLetterOrDigit(value[0]) || value.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('+' or '-' or '.' or '_')))
            throw new QuotingException($"'{value}' is not a package's name, and %packages has no quotes");
        return value;
    }

    /// <summary>What follows <c>#</c> in one line: for eyes only, so what is not printable is replaced.</summary>
    public static string Comment(string value) =>
        string.Create(value.Length, value, static (span, from) =>
        {
            for (var i = 0; i < from.Length; i++)
                span[i] = from[i] is >= ' ' and <= '~' ? from[i] : '?';
        });

    /// <summary>One value as JSON, which YAML 1.2 and the shell's quotes carry as well.</summary>
    public static string Json(JsonNode? value) => value?.ToJsonString(JsonText) ?? "null";

    /// <summary>One YAML scalar in one line.</summary>
    public static string Yaml(JsonNode? value) => YamlWriter.Scalar(value);

    /// <summary>A YAML tree in block style, each line that many columns to the right.</summary>
    public static StringBuilder YamlBlock(int indent, JsonNode value) => YamlWriter.Block(value, indent);

    /// <summary>A path inside a URL, each segment percent-encoded, slashes kept (RFC 3986 §3.3).</summary>
    public static string UrlPath(string value) => string.Join('/', value.Split('/').Select(Uri.EscapeDataString));

    private static void RefuseControlCharacters(string value, string where, bool lines = false)
    {
        // A script of a thousand lines has hardly a character beyond these.
        var usual = lines ? UsualInLines : Usual;
        for (var i = 0; value.AsSpan(i).IndexOfAnyExcept(usual) is >= 0 and var next; i++)
        {
            i += next;
            var c = value[i];
            if (char.IsHighSurrogate(c) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]))
                i++;
            else if (char.IsSurrogate(c) || char.IsControl(c) || c is '\u2028' or '\u2029')
                throw new QuotingException($"a value holds the control character U+{(int)c:X4}, which {where} cannot carry");
        }
    }
}
