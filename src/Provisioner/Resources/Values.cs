using System.Globalization;
using System.Text.Json.Nodes;
using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Networks;
using Provisioner.Protocols;

namespace Provisioner.Resources;

/// <summary>The values that documents are made of.</summary>
internal static class Values
{
    public static readonly ScalarKind<MacAddress> MacAddress = new("a network card's MAC address",
        "six octets such as 52:54:00:12:34:56, with colons, dashes or dots, or bare",
        (string text, out MacAddress value, out string? wrong) =>
        {
            wrong = null;
            if (!Protocols.MacAddress.TryParse(text, out value))
                return false;
            wrong = value.IsZero ? "is no address" : value.IsMulticast ? "is a group address, which no network card sends from" : null;
            return wrong is null;
        },
        value => value.ToString());

    public static readonly ScalarKind<Ipv4Address> Ipv4Address = new("an IPv4 address", "four numbers such as 10.77.0.1",
        (string text, out Ipv4Address value, out string? wrong) =>
        {
            wrong = null;
            if (!Protocols.Ipv4Address.TryParse(text, out value))
                return false;
            wrong = value.IsAny || value.Bits >> 28 >= 0xE ? "is not one host's address" : null;
            return wrong is null;
        },
        value => value.ToString());

    public static readonly ScalarKind<Ipv4Cidr> Subnet = new("an IPv4 subnet", "a subnet such as 10.77.0.0/24, from /8 to /30",
        (string text, out Ipv4Cidr value, out string? wrong) =>
        {
            wrong = null;
            if (!Ipv4Cidr.TryParse(text, out value))
            {
                if (NetworkOf(text) is { } network)
                    wrong = $"is an address inside a subnet; did you mean '{network}'?";
                return false;
            }
            wrong = value.PrefixLength is < 8 or > 30 ? $"has a prefix of {value.PrefixLength} bits"
                : value.Network.Bits >> 24 == 0 || value.Network.Bits >> 28 >= 0xE ? "is not a subnet of hosts" : null;
            return wrong is null;
        },
        value => value.ToString());

    public static readonly ScalarKind<Ipv4Range> Range = new("a range of IPv4 addresses", "the first and the last, such as 10.77.0.100-10.77.0.199",
        (string text, out Ipv4Range value, out string? wrong) =>
        {
            wrong = null;
            value = default;
            var dash = text.IndexOf('-');
            if (dash < 0 || !Protocols.Ipv4Address.TryParse(text.AsSpan(0, dash).Trim(), out var from)
                || !Protocols.Ipv4Address.TryParse(text.AsSpan(dash + 1).Trim(), out var to))
                return false;
            value = new Ipv4Range(from, to);
            wrong = from > to ? "begins after its end" : null;
            return wrong is null;
        },
        value => value.ToString());

    public static readonly ScalarKind<CpuArchitecture> CpuArchitecture = new("an architecture", "x86_64 or aarch64",
        (string text, out CpuArchitecture value, out string? wrong) =>
        {
            (value, wrong) = text.ToLowerInvariant() switch
            {
                "x86_64" or "amd64" or "x64" or "x86-64" => (Boot.CpuArchitecture.X64, null),
                "aarch64" or "arm64" => (Boot.CpuArchitecture.Arm64, null),
                "x86" or "i386" or "i486" or "i586" or "i686" or "ia32" => (Boot.CpuArchitecture.X86, "is 32-bit x86, which nothing is installed on"),
                "arm" or "armhf" or "armv7" or "armv7l" or "arm32" => (Boot.CpuArchitecture.Arm, "is 32-bit Arm, which nothing is installed on"),
                _ => (default, (string?)"?"),
            };
            if (wrong == "?")
            {
                wrong = null;
                return false;
            }
            return wrong is null;
        },
        value => NameOf(value))
    {
        Words = ["x86_64", "aarch64"],
    };

    public static readonly ScalarKind<bool> Boolean = new("a boolean", "true or false",
        (string text, out bool value, out string? wrong) =>
        {
            wrong = null;
            value = text is "true" or "True" or "TRUE";
            return value || text is "false" or "False" or "FALSE";
        },
        value => value, "boolean");

    public static readonly ScalarKind<TimeSpan> Duration = DurationBetween(TimeSpan.FromMinutes(1), TimeSpan.FromDays(30), "a duration",
        "whole days, hours, minutes and seconds such as 1h, 30m, 90s or 1h30m, from 1m to 30d");

    /// <summary>A number of days such as <c>90d</c>.</summary>
    public static ScalarKind<TimeSpan> Days(int minimum, int maximum) => DurationBetween(TimeSpan.FromDays(minimum), TimeSpan.FromDays(maximum),
        "a time in days", $"whole days such as 90d, from {minimum}d to {maximum}d");

    /// <summary>A duration from <paramref name="minimum"/> to <paramref name="maximum"/>, both allowed; <paramref name="expected"/> says so in words.</summary>
    public static ScalarKind<TimeSpan> DurationBetween(TimeSpan minimum, TimeSpan maximum, string name, string expected) => new(name, expected,
        (string text, out TimeSpan value, out string? wrong) =>
        {
            wrong = null;
            if (!TryParseDuration(text, out value))
                return false;
            wrong = value < minimum ? "is too short" : value > maximum ? "is too long" : null;
            return wrong is null;
        },
        value => Format(value));

    public static readonly ScalarKind<string> Name = NameOf(null);

    public static readonly ScalarKind<string> LabelValue = OfText("a label's value",
        "at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit", Texts.LabelValue);

    public static readonly ScalarKind<string> KernelArgument = OfText("a kernel argument",
        "one argument an item, such as console=ttyS0,115200, without blanks, quotes and shell characters", Texts.KernelArgument);

    public static readonly ScalarKind<string> ImagePath = OfText("a path inside the image", "a relative path such as install/vmlinuz", text => Texts.RelativePath(text, 255));

    /// <summary>Goes into the 128 octets of DHCP's <c>file</c>, the last of them zero (RFC 2131 §2).</summary>
    public static readonly ScalarKind<string> BootFile = OfText("a boot loader's name", "a name of the boot catalogue such as snponly.efi", text => Texts.RelativePath(text, 127));

    public static readonly ScalarKind<string> InterfaceName = OfText("a network interface", "a name such as eth0, at most 15 characters", Texts.InterfaceName);

    public static readonly ScalarKind<string> DomainName = OfText("a DNS name", "a DNS name such as example.com", Texts.DomainName);

    public static readonly ScalarKind<string> HostAddress = OfText("an address", "an IP address or a DNS name", Texts.HostAddress);

    /// <summary>Words for people: a rack, a serial number. Scripts get it through their escapers alone.</summary>
    public static readonly ScalarKind<string> Text = OfText("a text", "1 to 64 characters in one line",
        text => text.Length == 0 ? "is empty" : text.Length > 64 ? $"has {text.Length} characters, 64 are allowed" : text.Trim().Length != text.Length ? "begins or ends with a blank" : null);

    /// <summary>Words for people that take a sentence or two.</summary>
    public static readonly ScalarKind<string> Sentence = OfText("a sentence", "1 to 400 characters in one line",
        text => text.Length == 0 ? "is empty" : text.Length > 400 ? $"has {text.Length} characters, 400 are allowed" : text.Trim().Length != text.Length ? "begins or ends with a blank" : null);

    public static readonly ScalarKind<string> Url = OfText("a URL", "a URL such as https://example.com/os.iso, by http or https", Texts.WebAddress);

    public static readonly ScalarKind<string> InstallSource = OfText("an install source", "a path inside the image, . for all of it, a mirror's URL by http or https, or cache:NAME/PATH",
        text => text == "." ? null : PackageSource.IsCached(text) ? PackageSource.Wrong(text) ?? Texts.KernelArgument(text) : text.Contains("://", StringComparison.Ordinal) ? Texts.WebAddress(text) ?? Texts.KernelArgument(text) : Texts.RelativePath(text, 255));

    public static readonly ScalarKind<string> Sha256 = new("a SHA-256 sum", "64 hexadecimal digits",
        (string text, out string value, out string? wrong) =>
        {
            value = text.ToLowerInvariant();
            wrong = text.Length != 64 ? $"has {text.Length} characters instead of 64" : null;
            return text.Length == 64 && text.All(char.IsAsciiHexDigit);
        },
        value => value);

    /// <summary>Memory in MiB, written with Kubernetes' suffixes.</summary>
    public static readonly ScalarKind<int> Memory = new("an amount of memory", "whole GiB or MiB such as 8Gi or 2560Mi, from 128Mi to 1024Gi",
        (string text, out int value, out string? wrong) =>
        {
            wrong = null;
            value = 0;
            var unit = text.EndsWith("Gi", StringComparison.Ordinal) ? 1024 : text.EndsWith("Mi", StringComparison.Ordinal) ? 1 : 0;
            if (unit == 0 || !int.TryParse(text.AsSpan(0, text.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > 1 << 20)
                return false;
            var mebibytes = (long)number * unit;
            wrong = mebibytes < 128 ? "is too little" : mebibytes > 1 << 20 ? "is too much" : null;
            value = (int)Math.Min(mebibytes, int.MaxValue);
            return wrong is null;
        },
        value => value % 1024 == 0 ? $"{value / 1024}Gi" : $"{value}Mi");

    public static ScalarKind<string> OfText(string name, string expected, Func<string, string?> wrongWith) => new(name, expected,
        (string text, out string value, out string? wrong) =>
        {
            value = text;
            wrong = wrongWith(text);
            return wrong is null;
        },
        value => value)
    {
        FreeText = true,
    };

    public static ScalarKind<int> Integer(int minimum, int maximum) => new("a whole number in bounds", $"a whole number from {minimum} to {maximum}",
        (string text, out int value, out string? wrong) =>
        {
            wrong = null;
            return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) && value >= minimum && value <= maximum;
        },
        value => value, "integer");

    public static readonly ScalarKind<long> Version = new("a version", "a whole number, as the appliance gave it",
        (string text, out long value, out string? wrong) =>
        {
            wrong = null;
            return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        },
        value => value, "integer")
    {
        IsAppliances = true,
    };

    /// <summary>An absolute http or https URL.</summary>
    /// <param name="wrongWith">What more is asked of it, as the rest of a sentence; null when it is right.</param>
    public static ScalarKind<Uri> WebAddress(string name, string expected, Func<Uri, string?> wrongWith) => new(name, expected,
        (string text, out Uri value, out string? wrong) =>
        {
            wrong = null;
            if (!Uri.TryCreate(text, UriKind.Absolute, out value!) || value.Scheme is not ("http" or "https"))
                return false;
            wrong = wrongWith(value);
            return wrong is null;
        },
        value => value.AbsoluteUri);

    /// <summary>One of several words.</summary>
    public static ScalarKind<T> OneOf<T>(string name, params (string Word, T Value)[] words) where T : notnull =>
        new(name, "one of " + string.Join(", ", words.Select(w => w.Word)),
            (string text, out T value, out string? wrong) =>
            {
                var index = Array.FindIndex(words, w => w.Word.Equals(text, StringComparison.OrdinalIgnoreCase));
                value = index < 0 ? words[0].Value : words[index].Value;
                wrong = Spelling.Nearest(text, words.Select(w => w.Word)) is { } nearest && index < 0 ? $"is not {name}; did you mean '{nearest}'?" : null;
                return index >= 0;
            },
            value => words.First(w => w.Value.Equals(value)).Word)
        {
            Words = [.. words.Select(w => w.Word)],
        };

    /// <summary>Any scalar or tree; for what a document may carry and the appliance alone writes.</summary>
    public static readonly ValueKind<string> Ignored = new IgnoredKind { IsAppliances = true };

    public static string NameOf(CpuArchitecture architecture) => BootDecider.Name(architecture);

    /// <summary>The name of a resource of that kind; whether there is one is asked once a document is whole.</summary>
    public static ScalarKind<string> NameOf(string? kind) => new("a name", Texts.NameExpected,
        (string text, out string value, out string? wrong) =>
        {
            value = text;
            wrong = Texts.Name(text, 64);
            return wrong is null;
        },
        value => value)
    {
        FreeText = true, RefersTo = kind,
    };

    /// <summary>Reads <c>1h30m</c>: numbers each with d, h, m or s, in falling order.</summary>
    public static bool TryParseDuration(string text, out TimeSpan value)
    {
        value = default;
        const string Units = "dhms";
        long seconds = 0, number = 0;
        var digits = 0;
        var unit = -1;
        foreach (var c in text)
        {
            if (char.IsAsciiDigit(c) && digits < 9)
            {
                number = number * 10 + (c - '0');
                digits++;
                continue;
            }
            var next = Units.IndexOf(c, StringComparison.Ordinal);
            if (digits == 0 || next <= unit)
                return false;
            seconds += number * (next switch { 0 => 86_400, 1 => 3_600, 2 => 60, _ => 1 });
            (unit, number, digits) = (next, 0, 0);
        }
        value = TimeSpan.FromSeconds(Math.Min(seconds, 10_000_000_000));
        return unit >= 0 && digits == 0;
    }

    /// <summary>The shortest form: <c>1h30m</c>.</summary>
    public static string Format(TimeSpan value)
    {
        var text = (value.Days > 0 ? $"{value.Days}d" : "") + (value.Hours > 0 ? $"{value.Hours}h" : "")
            + (value.Minutes > 0 ? $"{value.Minutes}m" : "") + (value.Seconds > 0 ? $"{value.Seconds}s" : "");
        return text.Length == 0 ? "0s" : text;
    }

    private static string? NetworkOf(string text)
    {
        var slash = text.IndexOf('/');
        return slash > 0 && Protocols.Ipv4Address.TryParse(text.AsSpan(0, slash), out var address)
            && int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, null, out var length) && length <= 32
            ? new Ipv4Cidr(address, length).ToString() : null;
    }

    private sealed class IgnoredKind : ValueKind<string>
    {
        public override string Expected => "anything: it is the appliance's to write";

        public override string JsonType => "string";

        public override bool TryRead(TextNode node, string path, Reading reading, out string value)
        {
            value = "";
            return true;
        }

        public override JsonNode Write(string value) => value;
    }
}
