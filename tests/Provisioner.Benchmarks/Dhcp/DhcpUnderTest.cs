using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Provisioner.Boot;
using Provisioner.Boot.Dhcp;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Benchmarks.Dhcp;

/// <summary>
/// Our DHCP service with the real decision and the real store behind it, as a process of its own: what is measured holds journal,
/// lease persistence and all. Arguments: interface (- behind a relay), subnet, range, data directory, mode.
/// </summary>
internal static class DhcpUnderTest
{
    public static int Run(string[] arguments)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddSimpleConsole(o => o.SingleLine = true).SetMinimumLevel(arguments.Contains("--verbose") ? LogLevel.Debug : LogLevel.Information);
        // Without its store: what the packet path alone costs.
        var inMemory = arguments.Contains("--no-store");
        if (inMemory)
            builder.Services.AddSingleton<CurrentState>().AddSingleton<BootJournal>().AddSingleton(TimeProvider.System);
        else
            builder.Services.AddStorage(arguments[3]);
        builder.Services
            .AddSingleton<AddressBook>()
            .AddSingleton(_ => LoaderCatalogue.Read(LoaderCatalogue.DistributionDirectories))
            .AddSingleton<BootDecider>()
            .AddDhcp(new DhcpSettings());
        using var host = builder.Build();
        var range = arguments[2].Split('-');
        var network = new Network(new Metadata("lan"), new NetworkSpec
        {
            Subnet = Ipv4Cidr.Parse(arguments[1]),
            Interface = arguments[0] == "-" ? null : arguments[0],
            Dhcp = Enum.Parse<DhcpMode>(arguments[4], ignoreCase: true),
            Range = new Ipv4Range(Ipv4Address.Parse(range[0]), Ipv4Address.Parse(range[1])),
            AllowUnknown = true,
            ProbeConflicts = arguments.Contains("--probe"),
        });
        host.Start();
        if (inMemory)
        {
            host.Services.GetRequiredService<CurrentState>().Publish(Snapshot.Empty with { Networks = Snapshot.Empty.Networks.Add("lan", network) });
            _ = DrainAsync(host.Services.GetRequiredService<BootJournal>());
        }
        else
        {
            host.Services.GetRequiredService<StateWriter>().ChangeAsync(editor => editor.Put(network)).GetAwaiter().GetResult();
        }
        host.WaitForShutdown();
        return 0;
    }

    private static async Task DrainAsync(BootJournal journal)
    {
        await foreach (var _ in journal.Reader.ReadAllAsync())
        {
            // Thrown away.
        }
    }
}
