using System.Collections.Immutable;

namespace Provisioner.Kubernetes;

/// <summary>A host as the plan sees it.</summary>
/// <param name="Rack">Site and rack; null when it is not known.</param>
/// <param name="Zone">Null when it is not known.</param>
internal readonly record struct PlannedHost(string Name, string? Rack, string? Zone);

/// <summary>Which hosts are upgraded at once.</summary>
internal static class WavePlan
{
    /// <summary>
    /// Waves of at most <paramref name="size"/>, in none of which two hosts share a rack or a zone, unless <paramref name="together"/>. Pure.
    /// A host whose rack or zone is not known shares it with nobody. The racks and zones with most hosts left come first, or they would be
    /// left for the end, one by one.
    /// </summary>
    public static ImmutableArray<ImmutableArray<string>> Of(IEnumerable<PlannedHost> hosts, int size, bool together)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        var left = hosts.OrderBy(h => h.Name, StringComparer.Ordinal).ToList();
        var waves = ImmutableArray.CreateBuilder<ImmutableArray<string>>();
        while (left.Count > 0)
        {
            var inRack = left.Where(h => h.Rack is not null).CountBy(h => h.Rack!).ToDictionary();
            var inZone = left.Where(h => h.Zone is not null).CountBy(h => h.Zone!).ToDictionary();
            var racks = new HashSet<string>(StringComparer.Ordinal);
            var zones = new HashSet<string>(StringComparer.Ordinal);
            var wave = ImmutableArray.CreateBuilder<string>();
            foreach (var host in left.OrderByDescending(h => together ? 0 : Math.Max(h.Rack is { } r ? inRack[r] : 0, h.Zone is { } z ? inZone[z] : 0)).ToList())
            {
                if (wave.Count == size)
                    break;
                if (!together && (host.Rack is { } rack && racks.Contains(rack) || host.Zone is { } zone && zones.Contains(zone)))
                    continue;
                if (host.Rack is not null)
                    racks.Add(host.Rack);
                if (host.Zone is not null)
                    zones.Add(host.Zone);
                wave.Add(host.Name);
                left.Remove(host);
            }
            waves.Add(wave.ToImmutable());
        }
        return waves.ToImmutable();
    }
}
