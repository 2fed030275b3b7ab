using System.Net.ServerSentEvents;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Provisioner.Boot;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Progress;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Progress;

public sealed class ProgressTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly Host host = new(new Metadata("web-1"), new HostSpec { MacAddresses = [new MacAddress(1)], Architecture = CpuArchitecture.X64 });

    private readonly List<Event> events = [];

    private Snapshot snapshot = Snapshot.Empty;

    public ProgressTests() => Change(Start, editor =>
    {
        editor.Put(host);
        editor.Put(new Installation { Id = "1", Host = "web-1", Profile = "p", Image = "i", OpenedAt = Start, ClosesAt = Start.AddHours(2) });
    });

    private Installation Installation => snapshot.Installations["web-1"];

    [Fact]
    public void A_host_goes_from_waiting_to_installed_as_its_installer_reports()
    {
        Assert.Equal(HostState.Waiting, At(1));
        Assert.Equal(HostState.Booting, At(2, answered: 2));
        Report(5, "partitioning", StageState.Running);
        Assert.Equal((HostState.Installing, "partitioning"), (At(6), Standing(6).Stage));
        // The next one begins, the one before is over.
        Report(8, "packages", StageState.Running, "412 packages");
        Assert.Equal([("partitioning", StageState.Done, 3.0), ("packages", StageState.Running, -1)], Stages());
        Report(20, "packages", StageState.Done);
        Report(22, "installed", StageState.Done);
        Assert.Equal(["partitioning", "packages", "installed"], Installation.Stages.Select(s => s.Name));
        Assert.Equal("installed", Installation.ClosedBecause);
        Assert.Equal(HostState.Installed, At(23));
        Assert.Equal(HostState.Enrolled, HostStanding.Of(host, Installation, null, Start.AddMinutes(25), Start.AddMinutes(30)).State);
        // A certificate of the system that stood there before says nothing of this one.
        Assert.Equal(HostState.Installed, HostStanding.Of(host, Installation, null, Start.AddDays(-1), Start.AddMinutes(30)).State);
        // From now on it boots its disk, whatever its firmware tries first.
        Assert.IsType<BootIntent.LocalDisk>(BootDecider.Intend(new MacAddress(1), snapshot, Start.AddMinutes(23)));
        // A last word after it changes nothing of that.
        Report(24, "late", StageState.Failed, "too late");
        Assert.NotNull(Installation.InstalledAt);
    }

    [Fact]
    public void A_failed_stage_is_told_with_its_reason_and_forgiven_when_it_goes_on()
    {
        Report(5, "packages", StageState.Running);
        Report(9, "packages", StageState.Failed, "no repository");
        Assert.Equal(new HostStanding(HostState.Failed, "packages", "no repository"), Standing(10));
        var alert = Assert.Single(snapshot.Alerts.Values);
        Assert.Equal(("failed:web-1", "The installation of web-1 failed in stage packages: no repository"), (alert.Id, alert.Message));
        Report(30, "packages", StageState.Running);
        Assert.Equal(HostState.Installing, At(31));
        Report(40, "installed", StageState.Done);
        Assert.Empty(snapshot.Alerts);
    }

    [Fact]
    public void Each_stage_has_its_own_limit_of_silence()
    {
        Assert.Equal(HostState.Booting, At(14, answered: 0));
        Assert.Equal((HostState.Stalled, "boot"), (At(16, answered: 0), Standing(16, answered: 0).Stage));
        Report(20, "disks", StageState.Running);
        Assert.Equal(HostState.Installing, At(79));
        Assert.Equal(HostState.Stalled, At(81));
        Assert.Contains("a repository cannot be reached", Standing(81).Reason, StringComparison.Ordinal);
        Change(Start.AddMinutes(82), editor => InstallationProgress.Heard(editor, Installation));
        Assert.Equal(HostState.Installing, At(83));
        // The window ends in the middle of it.
        Assert.Equal((HostState.Failed, "disks"), (At(121), Standing(121).Stage));
    }

    [Fact]
    public void Reports_without_end_are_bounded()
    {
        for (var i = 0; i < 500; i++)
            Report(1, $"stage-{i}", StageState.Running);
        Assert.Equal(InstallationProgress.MaximumStages, Installation.Stages.Length);
    }

    [Theory]
    [InlineData("""{"name":"subiquity/Install/install/configure_apt","event_type":"start","description":"configuring apt","origin":"curtin","level":"INFO"}""", "configure-apt", StageState.Running, false)]
    [InlineData("""{"name":"subiquity/Install/install/configure_apt/setup_target","event_type":"start","description":""}""", "configure-apt", StageState.Running, true)]
    [InlineData("""{"name":"subiquity/Install/install/curtin_install/cmd-install/stage-partitioning","event_type":"start","description":"configuring storage"}""", "partitioning", StageState.Running, false)]
    [InlineData("""{"name":"subiquity/Install/install/curtin_install/run_curtin_step/cmd-install/stage-extract","event_type":"finish","result":"SUCCESS","description":"writing install sources to disk"}""", "extract", StageState.Done, false)]
    [InlineData("""{"name":"subiquity/Install/install/curtin_install/run_curtin_step/cmd-install/stage-curthooks/builtin/cmd-curthooks/install-grub","event_type":"finish","result":"FAIL","description":"installing grub to target devices"}""", "curthooks", StageState.Failed, true)]
    [InlineData("""{"name":"subiquity/Install/install/curtin_install","event_type":"finish","result":"FAIL","description":"Command returned 3"}""", "curtin-install", StageState.Failed, false)]
    [InlineData("""{"name":"subiquity/Install/install/postinstall","event_type":"finish","result":"WARN","description":"final system configuration"}""", "postinstall", StageState.Done, false)]
    [InlineData("""{"name":"subiquity/Install/install","event_type":"finish","result":"FAIL","description":"x"}""", "install", StageState.Failed, false)]
    [InlineData("""{"name":"subiquity/Late/run","event_type":"finish","result":"FAIL","description":"x"}""", "late-commands", StageState.Failed, false)]
    [InlineData("""{"name":"subiquity/Network/apply_autoinstall_config","event_type":"finish","result":"FAIL","description":"x"}""", "autoinstall", StageState.Failed, false)]
    [InlineData("""{"name":"subiquity/Install/install","event_type":"start"}""", null, null, false)]
    [InlineData("""{"name":"subiquity/Late/run","event_type":"start"}""", null, null, false)]
    [InlineData("""{"name":"subiquity/Partitioning/apply_autoinstall_config","event_type":"start"}""", null, null, false)]
    [InlineData("""{"name":"subiquity/Refresh/check_for_update","event_type":"finish","result":"FAIL","description":"cancelled"}""", null, null, false)]
    [InlineData("""{"name":"subiquity/Install/install/curtin_install/run_curtin_step","event_type":"start"}""", null, null, false)]
    [InlineData("""{"name":"subiquity/Install/install/postinstall/x","event_type":"finish","result":"SUCCESS"}""", null, null, false)]
    [InlineData("""{"name":"subiquity/Install/install/postinstall","event_type":"result"}""", null, null, false)]
    [InlineData("""{"name":"subiquity","event_type":"start"}""", null, null, false)]
    public void Subiquity_s_webhook_is_read(string body, string? stage, StageState? state, bool isInner)
    {
        var report = SubiquityReport.Read(body, out var line, out var wrong);
        Assert.Null(wrong);
        // Whatever it is, it is kept in the log.
        Assert.Contains(": subiquity", line, StringComparison.Ordinal);
        Assert.Equal((stage, state, isInner), (report?.Stage, report?.State, report?.Inner ?? false));
    }

    /// <summary>The events of an unattended installation of Ubuntu 24.04 in their order, with what runs beside it, and our own scripts' reports between.</summary>
    [Fact]
    public void A_whole_installation_of_Ubuntu_s_is_a_dozen_stages_with_their_real_durations()
    {
        const string Curtin = "Install/install/curtin_install/run_curtin_step/cmd-install/stage-";
        Webhook(0, "start", "Early/run");
        Webhook(0, "start", "Early/run/command_0", "sh /run/provisioner/early");
        Report(0, "installer", StageState.Running);
        Report(1, "disks", StageState.Done, "/dev/sda");
        Webhook(1, "finish", "Early/run/command_0");
        Webhook(1, "finish", "Early/run");
        foreach (var controller in (string[])["Reporting", "Error", "Userdata", "Package", "Locale", "Kernel", "Keyboard", "Source", "Network", "Proxy", "Mirror", "Filesystem", "Identity", "SSH", "SnapList", "Drivers", "TimeZone", "Updates", "Late", "Shutdown"])
        {
            Webhook(1, "start", $"{controller}/apply_autoinstall_config");
            Webhook(1, "finish", $"{controller}/apply_autoinstall_config");
        }
        Webhook(2, "start", "Install/install");
        Webhook(2, "start", "Refresh/check_for_update");
        Webhook(2, "start", "Install/install/configure_apt", "configuring apt");
        Webhook(2, "start", "Install/install/configure_apt/curtin_apt_config/cmd-apt-config", "curtin command apt-config");
        Webhook(3, "finish", "Install/install/configure_apt/curtin_apt_config/cmd-apt-config", "curtin command apt-config");
        Webhook(3, "finish", "Refresh/check_for_update", "cancelled", "FAIL");
        Webhook(3, "finish", "Install/install/configure_apt", "configuring apt");
        Webhook(3, "start", "Install/install/curtin_install", "installing system");
        Webhook(3, "start", "Install/install/curtin_install/run_curtin_step", "executing curtin install initial step");
        Webhook(3, "finish", "Install/install/curtin_install/run_curtin_step", "executing curtin install initial step");
        Webhook(4, "start", "Install/install/curtin_install/run_curtin_step", "executing curtin install partitioning step");
        Webhook(4, "start", Curtin + "partitioning", "configuring storage");
        Webhook(4, "start", Curtin + "partitioning/builtin/cmd-block-meta", "curtin command block-meta");
        Assert.Equal((HostState.Installing, "partitioning", "curtin command block-meta"), (At(4), Standing(4).Stage, Standing(4).Reason));
        Webhook(6, "finish", Curtin + "partitioning/builtin/cmd-block-meta", "curtin command block-meta");
        Webhook(6, "finish", Curtin + "partitioning", "configuring storage");
        Webhook(6, "finish", "Install/install/curtin_install/run_curtin_step", "executing curtin install partitioning step");
        Webhook(6, "start", Curtin + "extract", "writing install sources to disk");
        Webhook(6, "start", Curtin + "extract/builtin/cmd-extract/acquiring", "acquiring and extracting image from cp:///tmp/tmpx/mount");
        Webhook(10, "finish", Curtin + "extract/builtin/cmd-extract/acquiring", "acquiring and extracting image from cp:///tmp/tmpx/mount");
        Webhook(10, "finish", Curtin + "extract", "writing install sources to disk");
        Webhook(10, "start", Curtin + "curthooks", "configuring installed system");
        for (var i = 0; i < 60; i++)
        {
            Webhook(10 + (i / 10), "start", $"{Curtin}curthooks/{i:000}/cmd-in-target", $"curtin command in-target, number {i}");
            Webhook(10 + (i / 10), "finish", $"{Curtin}curthooks/{i:000}/cmd-in-target", $"curtin command in-target, number {i}");
        }
        Assert.Equal("curtin command in-target, number 59", Standing(15).Reason);
        Webhook(16, "finish", Curtin + "curthooks", "configuring installed system");
        Webhook(16, "finish", "Install/install/curtin_install", "installing system");
        Webhook(16, "start", "Install/install/postinstall", "final system configuration");
        Webhook(16, "start", "Install/install/postinstall/install_openssh-server", "installing openssh-server");
        // Fetched again after a failure: nothing is wrong.
        Webhook(17, "finish", "Install/install/postinstall/install_openssh-server/retrieving/cmd-system-install", "curtin command system-install", "FAIL");
        Webhook(17, "start", "Install/install/postinstall/install_openssh-server/retrieving", "retrieving openssh-server");
        Assert.Equal((HostState.Installing, "retrieving openssh-server"), (At(17), Standing(17).Reason));
        Webhook(20, "finish", "Install/install/postinstall", "final system configuration");
        Webhook(20, "finish", "Install/install");
        Webhook(20, "start", "Late/run");
        Report(20, "configure", StageState.Running);
        Report(21, "steps", StageState.Running);
        Report(23, "steps", StageState.Done);
        Report(24, "configure", StageState.Done);
        Report(24, "installed", StageState.Done);
        Webhook(24, "finish", "Late/run");
        Webhook(25, "start", "Shutdown/shutdown", "mode=REBOOT");

        Assert.Equal(
            [
                ("installer", StageState.Done, 1.0), ("disks", StageState.Done, 0), ("configure-apt", StageState.Done, 1), ("partitioning", StageState.Done, 2), ("extract", StageState.Done, 4),
                ("curthooks", StageState.Done, 6), ("postinstall", StageState.Done, 4), ("configure", StageState.Done, 4), ("steps", StageState.Done, 2), ("installed", StageState.Done, 0),
            ], Stages());
        Assert.Equal((Start.AddMinutes(24), "installed"), (Installation.InstalledAt, Installation.ClosedBecause));
        Assert.Equal(HostState.Installed, At(25));
        Assert.Empty(snapshot.Alerts);
        // No event for what is inside of a stage.
        Assert.InRange(events.Count, 10, 24);
    }

    [Fact]
    public void A_phase_that_fails_says_what_failed_first_inside_it_and_what_follows_from_it_changes_nothing()
    {
        const string Hooks = "Install/install/curtin_install/run_curtin_step/cmd-install/stage-curthooks";
        Webhook(1, "start", Hooks, "configuring installed system");
        Webhook(1, "start", Hooks + "/builtin/cmd-curthooks/install-grub", "installing grub to target devices");
        Webhook(2, "finish", Hooks + "/builtin/cmd-curthooks/install-grub", "installing grub to target devices", "FAIL");
        Webhook(2, "finish", Hooks + "/builtin/cmd-curthooks", "curtin command curthooks", "FAIL");
        Assert.Equal(HostState.Installing, At(2));
        Webhook(2, "finish", Hooks, "configuring installed system", "FAIL");
        Webhook(2, "finish", "Install/install/curtin_install", "Command returned 3", "FAIL");
        Webhook(2, "finish", "Install/install", "Command returned 3", "FAIL");
        // The error-commands, whose script says no more than that.
        Report(3, "installer", StageState.Failed, "The installer gave up; its log says why.");
        Webhook(3, "start", "Error/run");

        Assert.Equal(new HostStanding(HostState.Failed, "curthooks", "installing grub to target devices: configuring installed system"), Standing(4));
        Assert.EndsWith("failed in stage curthooks: installing grub to target devices: configuring installed system", Assert.Single(snapshot.Alerts.Values).Message, StringComparison.Ordinal);
        Assert.Equal([("curthooks", StageState.Failed, 1.0)], Stages());
        // It is switched on again, and goes on.
        Report(5, "installer", StageState.Running);
        Assert.Equal(HostState.Installing, At(5));
        Assert.Empty(snapshot.Alerts);
        // A second time is a second time.
        Report(6, "disks", StageState.Done);
        Report(7, "disks", StageState.Done);
        Assert.Equal(["curthooks", "installer", "disks"], Installation.Stages.Select(s => s.Name));
    }

    [Fact]
    public void The_end_and_a_failure_are_taken_however_much_was_reported_before()
    {
        for (var i = 0; i < 500; i++)
            Report(1, $"stage-{i}", StageState.Running);
        var recorded = events.Count;
        Report(2, "packages", StageState.Failed, "no repository");
        Assert.Equal(new HostStanding(HostState.Failed, "packages", "no repository"), Standing(3));
        Report(3, "packages", StageState.Running);
        Report(4, "installed", StageState.Done);
        Assert.Equal((HostState.Installed, "installed"), (At(5), Installation.ClosedBecause));
        Assert.IsType<BootIntent.LocalDisk>(BootDecider.Intend(new MacAddress(1), snapshot, Start.AddMinutes(5)));
        Assert.Equal(InstallationProgress.MaximumStages, Installation.Stages.Length);
        Assert.Equal(["Stage packages failed", "Stage installed done"], events.Skip(recorded).Select(e => e.What));
    }

    [Fact]
    public void The_end_is_taken_after_the_window_as_well_and_opens_nothing()
    {
        Report(100, "packages", StageState.Running);
        Assert.Equal(HostState.Failed, At(121));
        Report(122, "installed", StageState.Done);
        Assert.Equal(HostState.Installed, At(123));
        Assert.False(Installation.MayEnrolAt(Start.AddMinutes(123)));
    }

    [Fact]
    public void Any_text_is_a_webhook_s_body_or_is_refused() =>
        CsCheck.Check.Sample(CsCheck.Gen.String, body => _ = SubiquityReport.Read(body, out _, out _));

    [Fact]
    public void The_log_keeps_the_last_64_KiB_of_each_host()
    {
        var directory = Directory.CreateTempSubdirectory("provisioner-log-").FullName;
        var log = new InstallerLog(directory, TimeProvider.System);
        for (var i = 0; i < 5_000; i++)
            log.Add("web-1", $"line {i} {new string('x', 40)}\r\nand\u0007 another");
        var text = log.Read("web-1");
        Assert.InRange(Encoding.UTF8.GetByteCount(text), InstallerLog.MaximumBytes - 200, InstallerLog.MaximumBytes);
        Assert.EndsWith("line 4999 " + new string('x', 40) + "\nand\ufffd another\n", text, StringComparison.Ordinal);
        Assert.Equal("and\ufffd another", log.LastLine("web-1"));
        log.Keep("web-1");
        Assert.Equal(text, new InstallerLog(directory, TimeProvider.System).Read("web-1"));
        for (var i = 0; i < 3_000; i++)
            log.Add($"other-{i}", "x");
        Assert.Equal("", log.Read("other-0"));
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public void The_log_is_read_on_from_where_one_was()
    {
        var directory = Directory.CreateTempSubdirectory("provisioner-log-").FullName;
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(Start);
        var log = new InstallerLog(directory, time);
        log.Add("web-1", "one\ntwo\nthree");
        var all = log.ReadAfter("web-1", null);
        Assert.Equal(["one", "two", "three"], all.Select(l => l.Text));
        Assert.Equal(["two", "three"], log.ReadAfter("web-1", all[0].Place).Select(l => l.Text));
        Assert.Empty(log.ReadAfter("web-1", all[2].Place));
        log.Add("web-1", "four");
        Assert.Equal("four", Assert.Single(log.ReadAfter("web-1", all[2].Place)).Text);
        // What has fallen off is not told twice, and what is no place tells all.
        for (var i = 0; i < 5_000; i++)
            log.Add("web-1", $"line {i:000000000000}");
        var rest = log.ReadAfter("web-1", all[0].Place);
        Assert.Equal(log.Read("web-1"), string.Concat(rest.Select(l => l.Text + "\n")));
        Assert.Equal(rest.Count, log.ReadAfter("web-1", "what -7 is").Count);
        Assert.Equal(["line 000000004998", "line 000000004999"], log.ReadAfter("web-1", rest[^3].Place).Select(l => l.Text));
        // The next Installation has a page of its own; after a restart there is what was kept.
        log.Keep("web-1");
        log.Forget("web-1");
        time.Advance(TimeSpan.FromMinutes(1));
        log.Add("web-1", "anew");
        Assert.Equal("anew", Assert.Single(log.ReadAfter("web-1", rest[^1].Place)).Text);
        var kept = new InstallerLog(directory, time).ReadAfter("web-1", rest[^1].Place);
        Assert.Equal(rest.Select(l => l.Text), kept.Select(l => l.Text));
        Assert.Empty(new InstallerLog(directory, time).ReadAfter("web-1", kept[^1].Place));
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task The_log_is_followed_and_goes_on_after_a_broken_connection()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        await appliance.ApplyAsync(Appliance.Site.Host.Replace(", profile: worker", "", StringComparison.Ordinal));
        var log = appliance.Services.GetRequiredService<InstallerLog>();
        log.Add("web-1", "one");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(20));

        var seen = await FollowAsync(null, 1, () => { });
        Assert.Equal("""{"line":"one"}""", seen[0].Data);
        seen = await FollowAsync(seen[0].EventId, 2, () => { log.Add("web-2", "of another"); log.Add("web-1", "two\nthree"); });
        Assert.Equal(["""{"line":"two"}""", """{"line":"three"}"""], seen.Select(s => s.Data));

        async Task<IReadOnlyList<SseItem<string>>> FollowAsync(string? after, int count, Action then)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "hosts/web-1/log?follow=true");
            if (after is not null)
                request.Headers.Add("Last-Event-ID", after);
            // Where there is nothing to tell yet, nothing is answered yet.
            var answer = appliance.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            then();
            using var response = await answer;
            await using var stream = await response.Content.ReadAsStreamAsync(limit.Token);
            var items = new List<SseItem<string>>();
            await foreach (var item in SseParser.Create(stream).EnumerateAsync(limit.Token))
            {
                items.Add(item);
                if (items.Count == count)
                    break;
            }
            return items;
        }
    }

    private IEnumerable<(string, StageState, double)> Stages() =>
        Installation.Stages.Select(s => (s.Name, s.State, s.EndedAt is { } ended ? (ended - s.StartedAt).TotalMinutes : -1));

    private HostState At(int minute, int? answered = null) => Standing(minute, answered).State;

    private HostStanding Standing(int minute, int? answered = null) =>
        HostStanding.Of(host, Installation, answered is { } a ? Start.AddMinutes(a) : null, enrolledAt: null, Start.AddMinutes(minute));

    private void Report(int minute, string stage, StageState state, string? message = null) =>
        Change(Start.AddMinutes(minute), editor => InstallationProgress.Report(editor, editor.Snapshot.Installations["web-1"], new StageReport(stage, state, message)));

    private void Webhook(int minute, string type, string name, string description = "", string result = "SUCCESS")
    {
        var body = $$"""{"origin": "curtin", "level": "INFO", "name": "subiquity/{{name}}", "event_type": "{{type}}", "description": "{{description}}"{{(type == "finish" ? $", \"result\": \"{result}\"" : "")}}}""";
        var report = SubiquityReport.Read(body, out _, out var wrong);
        Assert.Null(wrong);
        if (report is not null)
            Change(Start.AddMinutes(minute), editor => InstallationProgress.Report(editor, editor.Snapshot.Installations["web-1"], report));
    }

    private void Change(DateTimeOffset at, Action<StateEditor> change)
    {
        var editor = new StateEditor(snapshot, at);
        change(editor);
        snapshot = editor.Snapshot;
        events.AddRange(editor.Events);
    }
}
