using System.Text.RegularExpressions;

namespace Provisioner.Resources;

/// <summary>The rules of names and other texts that reach a script, a kernel command line or Kubernetes. Each says what is wrong, or null.</summary>
internal static partial class Texts
{
    public const string NameExpected = "lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit (RFC 1123)";

    /// <summary>Control characters, line and paragraph separators, and marks that turn the direction of what is shown.</summary>
    public static bool IsControl(char c) =>
        char.IsControl(c) || c is '\u2028' or '\u2029' or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069') or '\ufeff';

    /// <summary>Control characters and half surrogates are never right, whatever the value is for.</summary>
    public static string? Printable(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is '\n' or '\r')
                return "holds a line break";
            if (IsControl(text[i]))
                return $"holds the control character U+{(int)text[i]:X4}";
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                i++;
            else if (char.IsSurrogate(text[i]))
                return $"holds half a character, U+{(int)text[i]:X4}";
        }
        return null;
    }

    /// <summary>Anybody's text as one line that is safe to show: cut to a length, what is not printable replaced.</summary>
    [return: System.Diagnostics.CodeAnalysis.NotNullIfNotNull(nameof(text))]
    public static string? OneLine(string? text, int maximum)
    {
        if (text is null)
            return null;
        if (text.Length > maximum)
            text = text[..maximum] + "…";
        return Printable(text) is null ? text
            : string.Create(text.Length, text, static (span, from) =>
            {
                for (var i = 0; i < from.Length; i++)
                    span[i] = IsControl(from[i]) || char.IsSurrogate(from[i]) ? '\ufffd' : from[i];
            });
    }

    /// <summary>A resource's name: an RFC 1123 subdomain. A host's is its certificate's CN as well: at most 64 characters (RFC 5280 ub-common-name).</summary>
    public static string? Name(string text, int maximum)
    {
        if (text.Length == 0)
            return "is empty";
        if (text.Length > maximum)
            return $"has {text.Length} characters, {maximum} are allowed";
        if (!Subdomain().IsMatch(text))
            return "is not an RFC 1123 name";
        if (text.Split('.').Any(label => label.Length > 63))
            return "has a part of more than 63 characters";
        if (Protocols.Ipv4Address.TryParse(text, out _))
            return "is an IP address, not a name";
        return null;
    }

    /// <summary>A label's key by Kubernetes' rules: an optional DNS prefix and <c>/</c>, then a name of at most 63 characters.</summary>
    public static string? LabelKey(string text)
    {
        var slash = text.IndexOf('/');
        if (slash >= 0 && (slash > 253 || !Subdomain().IsMatch(text[..slash])))
            return "has a prefix that is not a DNS name";
        var name = text[(slash + 1)..];
        return name.Length is 0 or > 63 || !LabelName().IsMatch(name) ? "is not a label key" : null;
    }

    /// <summary>A label's value by Kubernetes' rules.</summary>
    public static string? LabelValue(string text) =>
        text.Length == 0 || text.Length <= 63 && LabelName().IsMatch(text) ? null : "is not a label value";

    /// <summary>
    /// One argument of a kernel command line. It passes through iPXE's or GRUB's script, whose escapers are the second line of
    /// defence: what means something to either of them is refused here already.
    /// </summary>
    public static string? KernelArgument(string text)
    {
        if (text.Length == 0)
            return "is empty";
        if (text.Any(char.IsWhiteSpace))
            return "holds a blank";
        if (text.Length > 256)
            return $"has {text.Length} characters, 256 are allowed";
        if (text[0] == '#')
            return "begins with '#', a comment to iPXE and GRUB";
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"-_.,:=/@+%~!*#[]()?^".Contains(c, StringComparison.Ordinal))
                return $"holds '{c}', which means something to iPXE's or GRUB's script";
        }
        return null;
    }

    /// <summary>A path inside an image, or a name in the boot catalogue: relative, and nothing that means something to a URL or a script.</summary>
    public static string? RelativePath(string text, int maximum)
    {
        if (text.Length == 0)
            return "is empty";
        if (text.Length > maximum)
            return $"has {text.Length} characters, {maximum} are allowed";
        if (text[0] == '/')
            return "begins with '/'";
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"-_.+@~/".Contains(c, StringComparison.Ordinal))
                return $"holds '{c}'";
        }
        foreach (var part in text.Split('/'))
        {
            if (part is "" or "." or "..")
                return part.Length == 0 ? "has an empty part" : $"has the part '{part}'";
        }
        return null;
    }

    /// <summary>A URL to fetch from. A password in it would be shown wherever the resource is.</summary>
    public static string? WebAddress(string text)
    {
        if (text.Length > 1000)
            return $"has {text.Length} characters, 1000 are allowed";
        if (text.Any(c => c is <= ' ' or > '~'))
            return "holds a blank or a character that a URL writes as %XX";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url))
            return "is not a URL";
        if (url.Scheme is not ("http" or "https"))
            return $"is fetched by '{url.Scheme}', and only http and https are";
        if (url.Host.Length == 0)
            return "names no server";
        return url.UserInfo.Length > 0 ? "holds a user's name or password" : url.Fragment.Length > 0 ? "holds a fragment ('#')" : null;
    }

    /// <summary>A DNS name or an IP address.</summary>
    public static string? HostAddress(string text) =>
        System.Net.IPAddress.TryParse(text, out var address)
            ? address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 || Protocols.Ipv4Address.TryParse(text, out _) ? null : "is a short form of an address"
            : DomainName(text);

    /// <summary>A DNS name, in any case (RFC 1123).</summary>
    public static string? DomainName(string text) =>
        text.Length is > 0 and <= 253 && Subdomain().IsMatch(text.ToLowerInvariant()) && text.Split('.').All(label => label.Length <= 63)
            ? null : "is not a DNS name";

    /// <summary>A Linux network interface (IFNAMSIZ, <c>dev_valid_name</c>).</summary>
    public static string? InterfaceName(string text) =>
        text.Length is 0 or > 15 || text is "." or ".." || text.Any(c => c is '/' or ':' || char.IsWhiteSpace(c) || c > '~')
            ? "is not a network interface's name" : null;

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Subdomain();

    [GeneratedRegex(@"\A[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex LabelName();
}
