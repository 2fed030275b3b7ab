using System.Collections.Immutable;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Boot;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Tests.Boot;

/// <summary>A small site: one image, profile and host an architecture, and the loaders Debian's ipxe package brings.</summary>
internal sealed class BootFixture
{
    public static readonly MacAddress X64Mac = MacAddress.Parse("52:54:00:00:00:01");
    public static readonly MacAddress Arm64Mac = MacAddress.Parse("52:54:00:00:00:02");
    public static readonly MacAddress UnknownMac = MacAddress.Parse("52:54:00:00:00:99");
    public static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    public FakeTimeProvider Time { get; } = new(Now);

    public LoaderCatalogue Loaders { get; init; } = new(
    [
        new Loader("ipxe.efi", "/loaders/ipxe.efi", 1_000_000, "00", CpuArchitecture.X64),
        new Loader("snponly.efi", "/loaders/snponly.efi", 250_000, "01", CpuArchitecture.X64),
        new Loader("undionly.kpxe", "/loaders/undionly.kpxe", 70_000, "02", null),
    ]);

    public Snapshot Snapshot { get; private set; } = Build();

    public BootFixture With(Func<Snapshot, Snapshot> change)
    {
        Snapshot = change(Snapshot);
        return this;
    }

    public BootFixture WithHost(string name, Func<HostSpec, HostSpec> change) => With(s =>
        s with { Hosts = s.Hosts.SetItem(name, s.Hosts[name] with { Spec = change(s.Hosts[name].Spec) }) });

    public BootFixture WithProfile(string name, Func<ProfileSpec, ProfileSpec> change) => With(s =>
        s with { Profiles = s.Profiles.SetItem(name, s.Profiles[name] with { Spec = change(s.Profiles[name].Spec) }) });

    public BootFixture WithImage(string name, Func<Image, Image> change) => With(s =>
        s with { Images = s.Images.SetItem(name, change(s.Images[name])) });

    public BootFixture Installing(string host) => With(s => s with
    {
        Installations = s.Installations.SetItem(host, new Installation
        {
            Id = "00112233445566778899aabbccddeeff",
            Host = host,
            Profile = s.Hosts[host].Spec.Profile!,
            Image = s.Profiles[s.Hosts[host].Spec.Profile!].Spec.Image,
            OpenedAt = Now.AddMinutes(-1),
            ClosesAt = Now.AddHours(2),
        }),
    });

    public BootDecision Decide(MacAddress mac, Architecture architecture, ClientKind client = ClientKind.Pxe,
        BootStep step = BootStep.BootFile, DhcpMode mode = DhcpMode.Reserve, bool ipxeHasHttp = true) =>
        new BootDecider(Loaders).Decide(new BootRequest
        {
            Step = step,
            MacAddress = mac,
            Architecture = architecture,
            Client = client,
            Endpoint = new BootEndpoint(Ipv4Address.Parse("10.77.0.1"), 8080),
            DhcpMode = mode,
            IpxeHasHttp = ipxeHasHttp,
        }, Snapshot, Time.GetUtcNow());

    public static Image MakeImage(string name, CpuArchitecture architecture, params string[] loaders) =>
        new(new Metadata(name), new ImageSpec
        {
            Distribution = "debian",
            Version = "12",
            Architecture = architecture,
            Kernel = "linux",
            Initrd = ["initrd.gz"],
            KernelArguments = ["priority=low"],
            BootLoaders = new BootLoaders { Shim = loaders.ElementAtOrDefault(0), Grub = loaders.ElementAtOrDefault(1) },
        })
        {
            Status = new ImageStatus
            {
                Generation = "g1",
                Files =
                [
                    new ImageFile("linux", 8_000_000, "aa", architecture),
                    new ImageFile("initrd.gz", 40_000_000, "bb", null),
                    .. loaders.Select(l => new ImageFile(l, 900_000, "cc", architecture)),
                ],
            },
        };

    private static Snapshot Build()
    {
        var hosts = new[]
        {
            new Host(new Metadata("n1"), new HostSpec { MacAddresses = [X64Mac], Architecture = CpuArchitecture.X64, Profile = "worker" }),
            new Host(new Metadata("n2"), new HostSpec { MacAddresses = [Arm64Mac], Architecture = CpuArchitecture.Arm64, Profile = "worker-arm" }),
        };
        return Snapshot.Empty with
        {
            Hosts = Snapshot.Empty.Hosts.AddRange(hosts.Select(h => KeyValuePair.Create(h.Name, h))),
            HostByMacAddress = hosts.SelectMany(h => h.Spec.MacAddresses.Select(m => KeyValuePair.Create(m, h.Name))).ToImmutableDictionary(),
            Profiles = Snapshot.Empty.Profiles
                .Add("worker", new Profile(new Metadata("worker"), new ProfileSpec { Image = "debian-x64" }))
                .Add("worker-arm", new Profile(new Metadata("worker-arm"), new ProfileSpec { Image = "debian-arm64" })),
            Images = Snapshot.Empty.Images
                .Add("debian-x64", MakeImage("debian-x64", CpuArchitecture.X64, "bootnetx64.efi", "grubx64.efi"))
                .Add("debian-arm64", MakeImage("debian-arm64", CpuArchitecture.Arm64, "bootnetaa64.efi", "grubaa64.efi")),
        };
    }
}
