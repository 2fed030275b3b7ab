using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Appliance.Bus;
using Provisioner.Appliance.Machine;
using Provisioner.Certificates;
using Provisioner.Progress;
using Provisioner.Tests.Certificates;

namespace Provisioner.Tests.Appliance.Machine;

/// <summary>What the system does for the service, where the system is as it should not be.</summary>
public sealed class MachineTests
{
    private const string Timedate = "org.freedesktop.timedate1";
    private const string TimedatePath = "/org/freedesktop/timedate1";
    private const string Login = "org.freedesktop.login1";
    private const string LoginPath = "/org/freedesktop/login1";
    private const string Manager = "org.freedesktop.login1.Manager";
    private const string Resolver = "org.freedesktop.resolve1";
    private const string ResolverPath = "/org/freedesktop/resolve1";

    [Fact]
    public async Task Without_a_bus_and_without_its_services_every_feature_says_so_and_nothing_else_fails()
    {
        await using (var alone = await RunningAppliance.StartAsync())
        {
            await AllSayAsync(alone, "there is no system bus at unix:path=/nonexistent (No such file or directory)");
            Assert.Equal(200, (await alone.ApplyAsync(Site.Network)).Status);
        }
        await using var bus = await PrivateBus.StartAsync();
        await using var appliance = await RunningAppliance.StartAsync(bus: bus.Options);
        await AllSayAsync(appliance, "is not on this machine, or is off");
        Assert.Equal(200, (await appliance.ApplyAsync(Site.Network)).Status);
        var said = (await appliance.RunAsync("status")).Succeeded();
        Assert.Contains("units  off  org.freedesktop.systemd1 is not on this machine, or is off", said, StringComparison.Ordinal);
        Assert.All(said.Split('\n'), line => Assert.True(line.Length <= 80 || line.StartsWith("provisioner ", StringComparison.Ordinal), line));
    }

    [Fact]
    public async Task No_certificate_is_issued_from_the_moment_the_clock_is_not_synchronised_any_more()
    {
        await using var bus = await PrivateBus.StartAsync();
        await bus.StartTemplateAsync(Timedate, "timedated", """{"NTP": true, "Timezone": "Etc/UTC"}""");
        await using var appliance = await RunningAppliance.StartAsync(bus: bus.Options, more: services => services
            .AddKeyedSingleton<IClock>(MachineClock.KernelsWord, new StandingClock())
            .AddSingleton<IClock>(provider => provider.GetRequiredService<MachineClock>()));
        var authority = appliance.Services.GetRequiredService<CertificateAuthority>();
        await SaysAsync(appliance, "clock", "the test says so; time zone Etc/UTC");
        Assert.Null(authority.WhyNotIssuing(appliance.Now));

        await bus.SetAsync(Timedate, TimedatePath, Timedate, "NTPSynchronized", "b", "false");
        await SaysAsync(appliance, "clock", "the clock is not synchronised: systemd-timedated says so");
        Assert.Contains("is not synchronised", authority.WhyNotIssuing(appliance.Now), StringComparison.Ordinal);

        await bus.SetAsync(Timedate, TimedatePath, Timedate, "NTPSynchronized", "b", "true");
        await SaysAsync(appliance, "clock", "the test says so");
        Assert.Null(authority.WhyNotIssuing(appliance.Now));
    }

    [Fact]
    public async Task The_first_authority_is_made_when_the_clock_says_that_it_is_right_and_not_a_while_later()
    {
        await using var bus = await PrivateBus.StartAsync();
        await bus.StartTemplateAsync(Timedate, "timedated", """{"NTP": false}""");
        var kernel = new StandingClock { Status = new(false, "the kernel says no") };
        await using var appliance = await RunningAppliance.StartAsync(bus: bus.Options, more: services => services
            .AddKeyedSingleton<IClock>(MachineClock.KernelsWord, kernel)
            .AddSingleton<IClock>(provider => provider.GetRequiredService<MachineClock>()));
        await SaysAsync(appliance, "clock", "the kernel says no; NTP is off: 'timedatectl set-ntp true' turns it on");
        Assert.Null(appliance.Snapshot.IssuingAuthority);
        kernel.Status = new(true, "the kernel says yes");
        var watch = System.Diagnostics.Stopwatch.StartNew();
        await bus.SetAsync(Timedate, TimedatePath, Timedate, "NTPSynchronized", "b", "true");
        await PrivateBus.UntilAsync(() => appliance.Snapshot.IssuingAuthority is not null, () => "no authority");
        // It would ask by itself every ten seconds.
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(8), $"took {watch.Elapsed}");
    }

    [Fact]
    public async Task A_service_that_does_not_answer_is_named_and_what_it_says_late_counts()
    {
        await using var bus = await PrivateBus.StartAsync();
        await bus.StartTemplateAsync(Timedate, "timedated", """{"Timezone": "Etc/UTC"}""");
        await bus.StartTemplateAsync(Login, "logind");
        await bus.SignalAsync(Timedate, "STOP");
        using var connection = bus.Connect(answerWithin: TimeSpan.FromMilliseconds(300));
        using var clock = new MachineClock(connection, new MachineOptions(), new StandingClock(), TimeProvider.System, NullLogger<MachineClock>.Instance);
        clock.Start();
        await PrivateBus.UntilAsync(() => clock.Standing.Says.Contains("org.freedesktop.timedate1 has not answered within 0.3 s", StringComparison.Ordinal), () => clock.Standing.Says);
        // The kernel's own word stands, and others are not held up.
        Assert.True(clock.Status.IsSynchronised);
        var others = await connection.CallMethodAsync(new MethodCall(Login, LoginPath, Manager, "ListInhibitors"));
        Assert.Empty((object?[])others[0]!);

        await bus.SignalAsync(Timedate, "CONT");
        await bus.SetAsync(Timedate, TimedatePath, Timedate, "NTPSynchronized", "b", "false");
        await PrivateBus.UntilAsync(() => !clock.Status.IsSynchronised, () => clock.Standing.Says);
    }

    [Fact]
    public async Task Zone_and_servers_are_set_and_a_refusal_is_said()
    {
        await using var bus = await PrivateBus.StartAsync();
        await bus.StartTemplateAsync(Timedate, "timedated", """{"Timezone": "Etc/UTC"}""");
        const string timesync = "org.freedesktop.timesync1";
        await bus.StartObjectAsync(timesync, "/org/freedesktop/timesync1", "org.freedesktop.timesync1.Manager");
        await bus.AddMethodAsync(timesync, "/org/freedesktop/timesync1", "org.freedesktop.timesync1.Manager", "SetRuntimeNTPServers", "as", "", "");
        using var connection = bus.Connect();
        using (var clock = new MachineClock(connection, new MachineOptions { TimeZone = "Europe/Zurich", TimeServers = ["10.0.0.5", "ntp.example"] },
            new StandingClock(), TimeProvider.System, NullLogger<MachineClock>.Instance))
        {
            clock.Start();
            await PrivateBus.UntilAsync(() => clock.Standing.Says.Contains("time zone Europe/Zurich", StringComparison.Ordinal), () => clock.Standing.Says);
            await PrivateBus.UntilAsync(() => bus.CallsOfAsync(timesync, "/org/freedesktop/timesync1", "SetRuntimeNTPServers").GetAwaiter().GetResult()
                .Contains("2 \"10.0.0.5\" \"ntp.example\"", StringComparison.Ordinal), () => "not set");
        }
        await bus.AddMethodAsync(Timedate, TimedatePath, Timedate, "SetTimezone", "sb", "", "raise dbus.exceptions.DBusException('no', name='org.freedesktop.DBus.Error.AccessDenied')");
        using var refused = new MachineClock(connection, new MachineOptions { TimeZone = "Asia/Tokyo" }, new StandingClock(), TimeProvider.System, NullLogger<MachineClock>.Instance);
        refused.Start();
        await PrivateBus.UntilAsync(() => refused.Standing is { Works: false } standing
            && standing.Says.Contains("org.freedesktop.timedate1.SetTimezone of org.freedesktop.timedate1 is not allowed to this service: no", StringComparison.Ordinal), () => refused.Standing.Says);
        Assert.True(refused.Status.IsSynchronised);
    }

    [Fact]
    public async Task Shutting_down_is_held_while_servers_are_installed_with_their_names()
    {
        await using var bus = await PrivateBus.StartAsync();
        await bus.StartTemplateAsync(Login, "logind");
        await bus.AddMethodAsync(Login, LoginPath, Manager, "Reboot", "b", "", "");
        await using var appliance = await RunningAppliance.StartAsync(bus: bus.Options);
        await SaysAsync(appliance, "power", "no server is being installed: shutting down is not held");

        await BuildAsync(appliance, "web-1", "52:54:00:00:00:01");
        await SaysAsync(appliance, "power", "shutting down is held: web-1 is being installed");
        Assert.Equal("a(ssssuu) 1 \"shutdown\" \"Provisioner\" \"web-1 is being installed\" \"block\" 1000 123456\n", await InhibitorsAsync());
        await BuildAsync(appliance, "web-2", "52:54:00:00:00:02");
        await SaysAsync(appliance, "power", "shutting down is held: web-1, web-2 are being installed");

        var refused = await appliance.RunAsync("machine", "reboot");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("web-1, web-2 are being installed. Wait for it, or say --force", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Reboot", await bus.CallsOfAsync(Login, LoginPath, "Reboot"), StringComparison.Ordinal);

        (await appliance.RunAsync("cancel", "web-1")).Succeeded();
        await SaysAsync(appliance, "power", "shutting down is held: web-2 is being installed");
        // The service was started again, and has forgotten.
        await bus.StopAsync(Login);
        await SaysAsync(appliance, "power", "shutting down is not held while servers are installed: org.freedesktop.login1 is not on this machine, or is off");
        await bus.StartTemplateAsync(Login, "logind");
        await bus.AddMethodAsync(Login, LoginPath, Manager, "Reboot", "b", "", "");
        await SaysAsync(appliance, "power", "shutting down is held: web-2 is being installed");
        Assert.Contains("web-2 is being installed", await InhibitorsAsync(), StringComparison.Ordinal);

        (await appliance.RunAsync("machine", "reboot", "--force")).Succeeded();
        Assert.EndsWith(" 1 b false", (await bus.CallsOfAsync(Login, LoginPath, "Reboot")).Replace("\n", " ", StringComparison.Ordinal).TrimEnd(), StringComparison.Ordinal);
        (await appliance.RunAsync("cancel", "web-2")).Succeeded();
        await SaysAsync(appliance, "power", "no server is being installed");
        await PrivateBus.UntilAsync(() => InhibitorsAsync().GetAwaiter().GetResult() == "a(ssssuu) 0\n", () => "held");

        Task<string> InhibitorsAsync() => bus.CallAsync("call", Login, LoginPath, Manager, "ListInhibitors");
    }

    [Fact]
    public async Task A_refused_hold_is_said_and_the_installation_goes_on()
    {
        await using var bus = await PrivateBus.StartAsync();
        await bus.StartObjectAsync(Login, LoginPath, Manager);
        await bus.AddMethodAsync(Login, LoginPath, Manager, "Inhibit", "ssss", "h", "raise dbus.exceptions.DBusException('denied', name='org.freedesktop.DBus.Error.AccessDenied')");
        await using var appliance = await RunningAppliance.StartAsync(bus: bus.Options);
        await BuildAsync(appliance, "web-1", "52:54:00:00:00:01");
        await SaysAsync(appliance, "power", "shutting down is not held while servers are installed: org.freedesktop.login1.Manager.Inhibit of org.freedesktop.login1 is not allowed to this service: denied");
        Assert.Equal("Installing", (await appliance.GetAsync("hosts/web-1"))["status"]!["state"]!.ToString());
    }

    [Fact]
    public async Task The_console_is_announced_again_when_the_resolver_or_the_bus_were_started_again()
    {
        await using var bus = await PrivateBus.StartAsync();
        await StartResolverAsync();
        await using var appliance = await RunningAppliance.StartAsync(bus: bus.Options);
        await SaysAsync(appliance, "found", $"made known by multicast DNS as _https._tcp on port {appliance.SecurePort}");
        var registered = (await bus.CallsOfAsync(Resolver, ResolverPath, "RegisterService")).Replace("\n", " ", StringComparison.Ordinal);
        Assert.Contains($"\"provisioner\" s \"Provisioner on %H\" s \"_https._tcp\" q {appliance.SecurePort} q 0 q 0 aa{{say}} 1 2 \"path\" 1 47 \"product\" 11", registered, StringComparison.Ordinal);

        await bus.StopAsync(Resolver);
        await SaysAsync(appliance, "found", "not made known by multicast DNS: org.freedesktop.resolve1 is not on this machine, or is off");
        await StartResolverAsync();
        await SaysAsync(appliance, "found", "made known by multicast DNS as");

        await bus.KillDaemonAsync();
        await SaysAsync(appliance, "found", "not made known by multicast DNS: the connection to the system bus");
        await bus.StartDaemonAsync();
        await StartResolverAsync();
        await SaysAsync(appliance, "found", "made known by multicast DNS as");
        Assert.Contains("_https._tcp", await bus.CallsOfAsync(Resolver, ResolverPath, "RegisterService"), StringComparison.Ordinal);

        async Task StartResolverAsync()
        {
            await bus.StartObjectAsync(Resolver, ResolverPath, "org.freedesktop.resolve1.Manager");
            await bus.AddMethodAsync(Resolver, ResolverPath, "org.freedesktop.resolve1.Manager", "RegisterService", "sssqqqaa{say}", "o", "ret = '/org/freedesktop/resolve1/dnssd/provisioner'");
            // The double is there before it has its method; the real one is not.
            await bus.CallAsync("call", Resolver, ResolverPath, "org.freedesktop.DBus.Mock", "EmitSignal", "sssav", "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as",
                "3", "s", "org.freedesktop.resolve1.Manager", "a{sv}", "0", "as", "0");
        }
    }

    [Fact]
    public async Task A_signal_that_somebody_sends_to_us_alone_is_not_heard()
    {
        await using var bus = await PrivateBus.StartAsync();
        await bus.StartTemplateAsync(Timedate, "timedated");
        using var connection = bus.Connect();
        var heard = new List<Signal>();
        using var all = connection.AddMatch(new MatchRule { Sender = Timedate, Interface = "org.freedesktop.DBus.Properties", Member = "PropertiesChanged" }, heard.Add);
        await connection.CallMethodAsync(new MethodCall(Timedate, TimedatePath, "org.freedesktop.DBus.Peer", "Ping"));
        var us = (await bus.CallAsync("list", "--no-legend")).Split('\n').First(line => line.StartsWith(':') && line.Contains($" {Environment.ProcessId} ", StringComparison.Ordinal)).Split(' ')[0];
        await bus.CallAsync("emit", $"--destination={us}", TimedatePath, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", Timedate, "0", "0");
        // To everybody, but from somebody else than the service.
        await bus.CallAsync("emit", TimedatePath, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", Timedate, "0", "0");
        await bus.SetAsync(Timedate, TimedatePath, Timedate, "NTPSynchronized", "b", "false");
        await PrivateBus.UntilAsync(() => heard.Count > 0, () => "nothing heard");
        var one = Assert.Single(heard);
        Assert.Equal(false, ((Dictionary<object, object?>)one.Arguments[1]!)["NTPSynchronized"]);
    }

    private static async Task BuildAsync(RunningAppliance appliance, string host, string mac)
    {
        Assert.Equal(200, (await appliance.ApplyAsync($$"""
            apiVersion: provisioner/v1
            kind: Image
            metadata: { name: debian-12 }
            spec: { distribution: debian, version: "12", architecture: x86_64, kernel: linux, initrd: [initrd.gz] }
            ---
            {{Site.Profile}}
            ---
            apiVersion: provisioner/v1
            kind: Host
            metadata: { name: {{host}} }
            spec: { macAddresses: ["{{mac}}"], architecture: x86_64, profile: worker }
            """)).Status);
        await appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(new Provisioner.Hosts.Installation
            {
                Id = $"id-of-{host}", Host = host, Profile = "worker", Image = "debian-12", OpenedAt = editor.Now, ClosesAt = editor.Now.AddHours(2),
                Stages = [new InstallationStage("partitioning", editor.Now)], HeardAt = editor.Now,
            });
            return 0;
        });
    }

    private static async Task AllSayAsync(RunningAppliance appliance, string reason)
    {
        foreach (var feature in new[] { "clock", "name", "links", "found", "power", "units" })
        {
            var says = await SaysAsync(appliance, feature, reason);
            Assert.False((bool)says["works"]!);
        }
    }

    private static async Task<JsonObject> SaysAsync(RunningAppliance appliance, string feature, string reason)
    {
        JsonObject? last = null;
        for (var i = 0; i < 400; i++)
        {
            last = (await appliance.GetAsync("status"))["machine"]!.AsArray().Select(f => f!.AsObject()).Single(f => f["feature"]!.ToString() == feature);
            if (last["says"]!.ToString().Contains(reason, StringComparison.Ordinal))
                return last;
            await Task.Delay(50);
        }
        Assert.Fail($"{feature} says '{last!["says"]}', not '{reason}'");
        return last;
    }
}
