using System.Text;
using Provisioner.Boot;
using Provisioner.Hosts;
using Provisioner.Progress;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Seeds;
using Provisioner.Storage;

namespace Provisioner.Tests.Progress;

public sealed class ProgressTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly Host host = new(new Metadata("web-1"), new HostSpec { MacAddresses = [new MacAddress(1)], Architecture = CpuArchitecture.X64 });

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
    [InlineData("""{"name":"subiquity/Partitioning/apply_autoinstall_config","event_type":"start","description":"x","origin":"curtin"}""", "partitioning-apply-autoinstall-c", StageState.Running)]
    [InlineData("""{"name":"subiquity/Install/install","event_type":"start","description":"installing system"}""", "install-install", StageState.Running)]
    [InlineData("""{"name":"subiquity/Install/install","event_type":"finish","result":"SUCCESS","description":""}""", "install-install", StageState.Done)]
    [InlineData("""{"name":"subiquity/Install","event_type":"finish","result":"FAIL","description":"curtin command in-target"}""", "install", StageState.Failed)]
    [InlineData("""{"name":"subiquity/Install/install/curtin_install/run_curtin","event_type":"start"}""", null, null)]
    [InlineData("""{"name":"subiquity","event_type":"start"}""", null, null)]
    public void Subiquity_s_webhook_is_read(string body, string? stage, StageState? state)
    {
        var report = SubiquityReport.Read(body, out var wrong);
        Assert.Null(wrong);
        if (state is null)
        {
            Assert.Null(report);
            return;
        }
        Assert.Equal((stage, state.Value), (report!.Stage, report.State));
    }

    [Fact]
    public void Any_text_is_a_webhook_s_body_or_is_refused() =>
        CsCheck.Check.Sample(CsCheck.Gen.String, body => _ = SubiquityReport.Read(body, out _));

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

    private IEnumerable<(string, StageState, double)> Stages() =>
        Installation.Stages.Select(s => (s.Name, s.State, s.EndedAt is { } ended ? (ended - s.StartedAt).TotalMinutes : -1));

    private HostState At(int minute, int? answered = null) => Standing(minute, answered).State;

    private HostStanding Standing(int minute, int? answered = null) =>
        HostStanding.Of(host, Installation, answered is { } a ? Start.AddMinutes(a) : null, enrolledAt: null, Start.AddMinutes(minute));

    private void Report(int minute, string stage, StageState state, string? message = null) =>
        Change(Start.AddMinutes(minute), editor => InstallationProgress.Report(editor, editor.Snapshot.Installations["web-1"], new StageReport(stage, state, message)));

    private void Change(DateTimeOffset at, Action<StateEditor> change)
    {
        var editor = new StateEditor(snapshot, at);
        change(editor);
        snapshot = editor.Snapshot;
    }
}
