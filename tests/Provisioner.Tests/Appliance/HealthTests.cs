using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Appliance;
using Provisioner.Appliance.Systemd;
using Provisioner.Boot;
using Provisioner.Boot.Http;
using Provisioner.Boot.Tftp;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Storage;

namespace Provisioner.Tests.Appliance;

/// <summary>What systemd's watchdog is fed with.</summary>
public sealed class HealthTests
{
    [Fact]
    public async Task The_watchdog_is_fed_while_all_parts_work_and_not_while_the_writer_is_stuck()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        var told = new Told();
        using var watchdog = WatchdogOf(appliance, told, TimeSpan.FromSeconds(30));
        Assert.True(await watchdog.LookAsync(default));
        Assert.Equal(["STATUS=0 hosts, 0 to be installed now; DHCP off: there is no Network yet; apply one with spec.dhcp: proxy or reserve", "WATCHDOG=1"], told.States);

        told.States.Clear();
        using var stuck = new ManualResetEventSlim();
        var change = appliance.Writer.ChangeAsync(_ =>
        {
            stuck.Wait();
            return 0;
        });
        using var impatient = WatchdogOf(appliance, told, TimeSpan.FromMilliseconds(200));
        Assert.False(await impatient.LookAsync(default));
        // A busy machine may be too slow for this patience in other parts as well.
        var said = Assert.Single(told.States);
        Assert.StartsWith("STATUS=Not well: the store's writer has not answered within 0.2 s", said, StringComparison.Ordinal);

        told.States.Clear();
        stuck.Set();
        await change;
        Assert.True(await watchdog.LookAsync(default));
        Assert.Contains("WATCHDOG=1", told.States);
    }

    [Fact]
    public async Task A_thread_of_TFTP_that_hangs_is_found()
    {
        using var hang = new ManualResetEventSlim();
        var catalogue = new HangingCatalogue(hang);
        await using var appliance = await RunningAppliance.StartAsync();
        using var tftp = new TftpServer(new TftpOptions { Address = Provisioner.Protocols.Ipv4Address.Parse("127.0.0.1"), Port = 0 }, catalogue, appliance.Services.GetRequiredService<CurrentState>(),
            new AddressBook(), new BootJournal(), TimeProvider.System, NullLogger<TftpServer>.Instance);
        tftp.Start();
        var health = HealthOf(appliance, TimeSpan.FromSeconds(30), tftp);
        Assert.Empty(await health.ProblemsAsync(default));
        using var client = new System.Net.Sockets.UdpClient();
        await client.SendAsync("\0\u0001x.efi\0octet\0"u8.ToArray(), "127.0.0.1", tftp.Port);
        await catalogue.Asked.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Contains("TFTP has not answered within 0.5 s", await HealthOf(appliance, TimeSpan.FromMilliseconds(500), tftp).ProblemsAsync(default));
        hang.Set();
        Assert.Empty(await health.ProblemsAsync(default));
    }

    [Fact]
    public async Task A_boot_plane_that_does_not_listen_any_more_is_found_and_asking_it_is_no_event()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        var health = HealthOf(appliance, TimeSpan.FromSeconds(10));
        Assert.Empty(await health.ProblemsAsync(default));
        Assert.DoesNotContain(appliance.EventLog.Find(new EventQuery()), e => e.What.Contains("healthz", StringComparison.Ordinal));
        await appliance.Services.GetRequiredService<BootHttpService>().StopAsync(default);
        Assert.Contains("the boot plane (HTTP) does not answer: Connection refused", Assert.Single(await health.ProblemsAsync(default)), StringComparison.Ordinal);
    }

    private static Health HealthOf(RunningAppliance appliance, TimeSpan patience, TftpServer? tftp = null) =>
        new(appliance.Writer, appliance.Services.GetRequiredService<Provisioner.Boot.Dhcp.DhcpService>(), tftp ?? appliance.Services.GetRequiredService<TftpServer>(),
            appliance.Services.GetRequiredService<BootHttpService>(), appliance.Services.GetRequiredService<BootHttpOptions>(),
            appliance.Services.GetRequiredService<Provisioner.Certificates.Est.SecureServer>(), appliance.Services.GetRequiredService<Provisioner.Certificates.SecureOptions>(),
            appliance.Services.GetRequiredService<Provisioner.Certificates.ServerIdentity>()) { Patience = patience };

    private static Watchdog WatchdogOf(RunningAppliance appliance, Told told, TimeSpan patience) =>
        new(told, HealthOf(appliance, patience), appliance.Services.GetRequiredService<ApplianceStatus>(), appliance.Services.GetRequiredService<IHostApplicationLifetime>(),
            TimeProvider.System, NullLogger<Watchdog>.Instance) { Interval = TimeSpan.FromSeconds(60) };

    private sealed class Told : ISystemdNotifier
    {
        public List<string> States { get; } = [];

        public bool IsEnabled => true;

        public void Notify(ServiceState state) => States.Add(state.ToString());
    }

    private sealed class HangingCatalogue(ManualResetEventSlim hang) : IBootCatalogue
    {
        public TaskCompletionSource Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public BootLookup Find(string name, BootClient client, string? query = null)
        {
            Asked.TrySetResult();
            hang.Wait();
            return BootLookup.Missing("the test says so");
        }
    }
}
