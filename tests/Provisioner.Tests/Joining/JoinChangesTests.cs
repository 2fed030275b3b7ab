using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Joining;
using Provisioner.Progress;
using Provisioner.Storage;

namespace Provisioner.Tests.Joining;

public sealed class JoinChangesTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly List<Event> events = [];

    private Snapshot snapshot = JoinSite.Snapshot();

    private HostJoin Join => snapshot.Joins["rack1-n07"];

    [Fact]
    public void A_host_goes_from_enrolled_through_its_stages()
    {
        Assert.Equal(HostState.Enrolled, Standing(0).State);
        foreach (var (minute, stage) in new[] { (1, "preflight"), (2, "artifacts"), (3, "containerd"), (5, "install"), (8, "check"), (9, "init") })
        {
            Report(minute, stage, StageState.Running);
            Assert.Equal((HostState.Joining, stage), (Standing(minute).State, Standing(minute).Stage));
        }
        Report(12, "init", StageState.Done);
        Report(12, "joined", StageState.Done, "nodeadm is done");
        Assert.Equal(Start.AddMinutes(12), Join.JoinedAt);
        Assert.Equal((HostState.Joining, "joined"), (Standing(9_000).State, Standing(9_000).Stage));
        // At each boot it may say so again, and nothing begins.
        var told = events.Count;
        Report(500, "joined", StageState.Done);
        Assert.Equal((Start.AddMinutes(12), told), (Join.JoinedAt, events.Count));
        Assert.Equal(["preflight", "artifacts", "containerd", "install", "check", "init", "joined"], Join.Stages.Select(s => s.Name));
        Assert.All(Join.Stages, s => Assert.Equal(StageState.Done, s.State));
    }

    [Fact]
    public void A_host_that_tried_through_a_night_has_joined_in_the_morning()
    {
        Report(0, "preflight", StageState.Running);
        Report(0, "preflight", StageState.Done);
        for (var minute = 1; minute < 600; minute += 5)
        {
            Report(minute, "install", StageState.Running);
            Report(minute + 1, "install", StageState.Failed, "no route");
        }
        Assert.Equal((64, StageState.Failed), (Join.Stages.Length, Join.Stages[^1].State));
        Report(600, "install", StageState.Running);
        Report(601, "install", StageState.Done);
        Report(602, "init", StageState.Running);
        Report(603, "joined", StageState.Done);

        Assert.Equal((64, Start.AddMinutes(603)), (Join.Stages.Length, Join.JoinedAt));
        Assert.Equal("Stage joined done", events[^1].What);
        Assert.Empty(snapshot.Alerts);
    }

    [Fact]
    public void A_failed_stage_is_told_and_the_next_attempt_begins_anew()
    {
        Report(1, "preflight", StageState.Running);
        Report(2, "preflight", StageState.Failed, "3 of 20 failed");
        Assert.Equal(new HostStanding(HostState.Failed, "preflight", "3 of 20 failed"), Standing(3));
        Assert.Contains("provisioner get findings rack1-n07", snapshot.Alerts["join-failed:rack1-n07"].Remedy, StringComparison.Ordinal);
        Report(10, "preflight", StageState.Running);
        Assert.Equal((2, 1, HostState.Joining), (Join.Attempt, Join.Stages.Length, Standing(10).State));
        Report(11, "install", StageState.Running);
        Report(12, "install", StageState.Failed, "no such version");
        Assert.Contains("provisioner log rack1-n07", snapshot.Alerts["join-failed:rack1-n07"].Remedy, StringComparison.Ordinal);
        // A stage may be tried again by itself.
        Report(13, "install", StageState.Running);
        Report(14, "joined", StageState.Done);
        Assert.Empty(snapshot.Alerts);
        // Long after, it joins again.
        Report(90_000, "preflight", StageState.Running);
        Assert.Equal((1, null, 1), (Join.Attempt, Join.JoinedAt, Join.Stages.Length));
    }

    [Fact]
    public void Reports_in_a_loop_grow_nothing()
    {
        for (var i = 0; i < 1_000; i++)
        {
            Report(i, "install", StageState.Running);
            Report(i, "install", StageState.Failed);
        }
        Assert.InRange(Join.Stages.Length, 1, 64);
        Assert.InRange(events.Count, 1, 150);
    }

    [Fact]
    public void Each_stage_has_its_own_limit_of_silence()
    {
        Report(0, "init", StageState.Running);
        Assert.Equal(HostState.Joining, Standing(20).State);
        Assert.Equal((HostState.Stalled, "init"), (Standing(21).State, Standing(21).Stage));
        Assert.Contains("kubelet does not start", Standing(21).Reason, StringComparison.Ordinal);
        Report(22, "install", StageState.Running);
        Assert.Equal(HostState.Joining, Standing(51).State);
        Assert.Equal(HostState.Stalled, Standing(53).State);
        // Built anew, what was before does not count.
        Change(60, editor => editor.Put(new Installation { Id = "1", Host = "rack1-n07", Profile = "worker", Image = "i", OpenedAt = Start.AddMinutes(60), ClosesAt = Start.AddMinutes(90), InstalledAt = Start.AddMinutes(70), ClosedAt = Start.AddMinutes(70) }));
        Assert.Equal(HostState.Enrolled, Standing(80).State);
    }

    [Fact]
    public void What_was_found_raises_an_alert_until_it_is_mended()
    {
        var fine = new Finding("clock", Verdict.Pass, "in step", "", "");
        var blocked = new Finding("tcp-443", Verdict.Fail, "sts.eu-west-1.amazonaws.com:443 does not answer.", "No credentials.", "Ask for tcp 443 towards it.");
        Found(1, fine, blocked);
        var alert = snapshot.Alerts["preflight:rack1-n07"];
        Assert.Equal("rack1-n07: tcp-443: sts.eu-west-1.amazonaws.com:443 does not answer. No credentials.", alert.Message);
        Assert.Equal("Ask for tcp 443 towards it. All of it: 'provisioner get findings rack1-n07'.", alert.Remedy);
        Assert.Equal("Preflight failed: tcp-443", Assert.Single(events).What);
        // The same once more is no news.
        Found(2, fine, blocked with { Found = "it still does not answer" });
        Assert.Single(events);
        // What the appliance found stays beside what the host finds.
        Change(3, editor => JoinChanges.Probed(editor, "rack1-n07", new Finding("kubelet-port", Verdict.Pass, "reached", "", "")));
        Found(4, fine, blocked with { Verdict = Verdict.Warn });
        Assert.Equal(["clock", "tcp-443", "kubelet-port"], snapshot.Findings["rack1-n07"].Findings.Select(f => f.Code));
        Assert.Empty(snapshot.Alerts);
        Change(5, editor => JoinChanges.Probed(editor, "rack1-n07", new Finding("kubelet-port", Verdict.Fail, "not reached", "", "")));
        Assert.Equal(3, snapshot.Findings["rack1-n07"].Findings.Length);
        Assert.Contains("kubelet-port", snapshot.Alerts["preflight:rack1-n07"].Message, StringComparison.Ordinal);
        Change(6, editor => editor.RemoveHost("rack1-n07"));
        Assert.Empty(snapshot.Findings);
        Assert.Empty(snapshot.Alerts);
    }

    private HostStanding Standing(int minute) =>
        HostStanding.Of(JoinSite.Host, snapshot.Installations.GetValueOrDefault("rack1-n07"), null, Start.AddMinutes(minute), Start.AddMinutes(minute), snapshot.Joins.GetValueOrDefault("rack1-n07"));

    private void Report(int minute, string stage, StageState state, string? message = null) =>
        Change(minute, editor => JoinChanges.Report(editor, "rack1-n07", new StageReport(stage, state, message)));

    private void Found(int minute, params Finding[] findings) =>
        Change(minute, editor => JoinChanges.Found(editor, new HostFindings { Host = "rack1-n07", At = editor.Now, Findings = [.. findings] }));

    private void Change(int minute, Action<StateEditor> change)
    {
        var editor = new StateEditor(snapshot, Start.AddMinutes(minute));
        change(editor);
        events.AddRange(editor.Events);
        snapshot = editor.Snapshot;
    }
}
