using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Provisioner.Appliance;
using Provisioner.Boot.Http;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;
using Host = Provisioner.Hosts.Host;

namespace Provisioner.Benchmarks.Seeds;

/// <summary>
/// The service put together as it is shipped, of which the HTTP boot plane alone is started, with a snapshot of hosts that all have an
/// open Installation. Arguments: data directory, port, number of hosts.
/// </summary>
internal static class ScriptsUnderTest
{
    private static readonly string[] Releases = ["rhel-9", "ubuntu-24.04"];

    /// <summary>The boot card of each host, by its number.</summary>
    public static MacAddress MacOf(int number) => new(0x5254_0000_0000UL + (ulong)number);

    public static int Run(string[] arguments) =>
        RunAsync(arguments[0], int.Parse(arguments[1], CultureInfo.InvariantCulture), int.Parse(arguments[2], CultureInfo.InvariantCulture)).GetAwaiter().GetResult();

    private static async Task<int> RunAsync(string data, int port, int hosts)
    {
        var options = new ApplianceOptions { DataDirectory = data, Http = new HttpSettings { Address = Ipv4Address.Parse("127.0.0.1"), Port = port } };
        await using var service = ApplianceHost.Build(options, logging => logging.SetMinimumLevel(LogLevel.Warning));
        service.Services.GetRequiredService<CurrentState>().Publish(Snapshot(hosts));
        await service.Services.GetRequiredService<BootHttpService>().StartAsync(CancellationToken.None);
        Console.WriteLine("ready");
        // Answers are recorded as in the service; where they go from here is not part of the plane.
        await foreach (var entry in service.Services.GetRequiredService<BootJournal>().Reader.ReadAllAsync())
        {
            if (entry is Event { Outcome: EventOutcome.Refused } refused)
                Console.WriteLine($"{refused.What}: {refused.Reason}");
        }
        return 0;
    }

    private static Snapshot Snapshot(int count)
    {
        var now = TimeProvider.System.GetUtcNow();
        var of = Releases.Select(release => FullProfile.Context(release, diskless: false)).ToList();
        var hosts = new List<Host>();
        var installations = new List<Installation>();
        for (var i = 0; i < count; i++)
        {
            var (name, profile) = ($"host{i:00000}", Releases[i % Releases.Length].Replace('.', '-'));
            var context = of[i % of.Count];
            hosts.Add(new Host(new Metadata(name), context.Host.Spec with { MacAddresses = [MacOf(i)], Profile = profile, Address = null }));
            installations.Add(context.Installation with { Id = $"{i:x32}", Host = name, Profile = profile, OpenedAt = now, ClosesAt = now.AddHours(2) });
        }
        var empty = Storage.Snapshot.Empty;
        return empty with
        {
            Revision = 1,
            Hosts = empty.Hosts.AddRange(hosts.Select(host => KeyValuePair.Create(host.Name, host))),
            HostByMacAddress = hosts.ToImmutableDictionary(host => host.Spec.MacAddresses[0], host => host.Name),
            Installations = installations.ToImmutableDictionary(installation => installation.Host),
            HostByInstallation = installations.ToImmutableDictionary(installation => installation.Id, installation => installation.Host),
            Images = empty.Images.AddRange(of.Select(context => KeyValuePair.Create(context.Image.Name, context.Image))),
            Profiles = empty.Profiles.AddRange(of.Select((context, i) => context.Profile with { Metadata = new Metadata(Releases[i].Replace('.', '-')) })
                .Select(profile => KeyValuePair.Create(profile.Metadata.Name, profile))),
            Networks = empty.Networks.Add(of[0].Network!.Metadata.Name, of[0].Network!),
        };
    }
}
