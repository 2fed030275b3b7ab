using System.Collections.Frozen;
using System.Globalization;
using Provisioner.Protocols;

namespace Provisioner.Hosts;

/// <summary>Names the maker of a network card by the first three octets of its MAC address: the makers that servers have, not all there are.</summary>
public static class OuiRegistry
{
    private const string Resource = "Provisioner.Hosts.oui.txt";

    private static readonly Lazy<FrozenDictionary<uint, string>> Makers = new(Read);

    /// <summary>The maker, or null when the list does not have it or the address is made up (the locally administered bit, QEMU's aside).</summary>
    public static string? Find(MacAddress mac) => Makers.Value.GetValueOrDefault(mac.Oui);

    private static FrozenDictionary<uint, string> Read()
    {
        using var stream = typeof(OuiRegistry).Assembly.GetManifestResourceStream(Resource)
            ?? throw new InvalidOperationException($"{Resource} is not in the assembly.");
        using var reader = new StreamReader(stream);
        var makers = new Dictionary<uint, string>();
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
                continue;
            var tab = line.IndexOf('\t', StringComparison.Ordinal);
            foreach (var prefix in line[(tab + 1)..].Split(' '))
                makers[uint.Parse(prefix, NumberStyles.HexNumber)] = line[..tab];
        }
        return makers.ToFrozenDictionary();
    }
}
