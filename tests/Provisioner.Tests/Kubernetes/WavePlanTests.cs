using CsCheck;
using Provisioner.Kubernetes;

namespace Provisioner.Tests.Kubernetes;

public sealed class WavePlanTests
{
    private static readonly Gen<PlannedHost[]> Fleet =
        Gen.Select(Gen.Int[-1, 6], Gen.Int[-1, 3]).Array[0, 60].Select(places => places
            .Select((p, i) => new PlannedHost($"h-{i:00}", p.Item1 < 0 ? null : $"/r{p.Item1}", p.Item2 < 0 ? null : $"z{p.Item2}")).ToArray());

    [Fact]
    public void Every_host_has_one_turn_and_never_with_one_of_its_rack_or_zone() => Gen.Select(Fleet, Gen.Int[1, 10]).Sample((hosts, size) =>
    {
        var byName = hosts.ToDictionary(h => h.Name);
        var waves = WavePlan.Of(hosts, size, together: false);
        Assert.Equal(hosts.Select(h => h.Name).Order(), waves.SelectMany(w => w).Order());
        Assert.All(waves, wave =>
        {
            Assert.InRange(wave.Length, 1, size);
            foreach (var places in new[] { wave.Select(h => byName[h].Rack), wave.Select(h => byName[h].Zone) })
                Assert.Equal(places.Count(p => p is not null), places.Where(p => p is not null).Distinct().Count());
        });
        // The first wave has as many as fit: nobody who could have joined it was left out.
        if (waves is [var first, ..] && first.Length < size)
            Assert.All(hosts.Where(h => !first.Contains(h.Name)), h => Assert.Contains(first, f => h.Rack is not null && byName[f].Rack == h.Rack || h.Zone is not null && byName[f].Zone == h.Zone));
    });

    [Fact]
    public void Together_when_told_to() => Gen.Select(Fleet, Gen.Int[1, 10]).Sample((hosts, size) =>
    {
        var waves = WavePlan.Of(hosts, size, together: true);
        Assert.Equal((hosts.Length + size - 1) / size, waves.Length);
        Assert.Equal(hosts.Select(h => h.Name).Order(), waves.SelectMany(w => w).Order());
    });

    [Fact]
    public void The_largest_rack_decides_how_many_waves_there_are()
    {
        var hosts = Enumerable.Range(0, 4).Select(i => new PlannedHost($"a-{i}", "/a", null)).Concat([new PlannedHost("b-0", "/b", null), new PlannedHost("c-0", "/c", null)]);
        Assert.Equal(4, WavePlan.Of(hosts, 3, together: false).Length);
    }

    [Theory]
    [InlineData("v1.34.2", "1.34", true)]
    [InlineData("v1.34.2-eks-1a2b3c4", "1.34.2", true)]
    [InlineData("v1.34.2", "1.34.1", false)]
    [InlineData("v1.3.2", "1.34", false)]
    [InlineData("v1.34.2", "1.3", false)]
    [InlineData(null, "1.34", false)]
    public void Versions_match(string? kubelet, string wanted, bool matches) => Assert.Equal(matches, KubernetesVersions.Matches(kubelet, wanted));
}
