namespace Provisioner.Boot;

/// <summary>What iPXE says of its machine in the query of its own script's URL, as our first script makes it. Claims, nothing more.</summary>
public readonly record struct IpxeFacts(string? Uuid, string? Serial, string? Product, string? Manufacturer, Architecture Architecture)
{
    private const int LongestValue = 128;

    /// <summary>Reads a query string without its question mark. Anything unknown, empty, overlong or unprintable is left out.</summary>
    public static IpxeFacts Read(string? query)
    {
        var facts = new IpxeFacts();
        if (string.IsNullOrEmpty(query))
            return facts;
        string? arch = null, platform = null;
        foreach (var pair in query.Split('&'))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0 || Clean(pair[(equals + 1)..]) is not { } value)
                continue;
            switch (pair[..equals])
            {
                case "uuid": facts = facts with { Uuid = value }; break;
                case "serial": facts = facts with { Serial = value }; break;
                case "product": facts = facts with { Product = value }; break;
                case "manufacturer": facts = facts with { Manufacturer = value }; break;
                case "arch": arch = value; break;
                case "platform": platform = value; break;
            }
        }
        return facts with { Architecture = ArchitectureOf(arch, platform) };
    }

    // iPXE's ${buildarch} and ${platform}; a BIOS build says i386 on a 64-bit machine, too.
    private static Architecture ArchitectureOf(string? arch, string? platform) => (platform, arch) switch
    {
        ("pcbios", _) => Architecture.Bios,
        ("efi", "x86_64") => Architecture.X64,
        ("efi", "arm64") => Architecture.Arm64,
        ("efi", "i386") => Architecture.X86,
        ("efi", "arm32") => Architecture.Arm32,
        _ => Architecture.Unknown,
    };

    private static string? Clean(string encoded)
    {
        var value = Uri.UnescapeDataString(encoded).Trim();
        return value.Length is 0 or > LongestValue || value.Any(char.IsControl) ? null : value;
    }
}
