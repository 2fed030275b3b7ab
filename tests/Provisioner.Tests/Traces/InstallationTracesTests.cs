using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Fleet;
using Provisioner.Hosts;
using Provisioner.Progress;
using Provisioner.Tests.Appliance;
using Provisioner.Traces;

namespace Provisioner.Tests.Traces;

public sealed class InstallationTracesTests
{
    [Fact]
    public async Task An_Installation_is_a_trace_and_each_stage_a_span()
    {
        const string Id = "0123456789abcdef0123456789abcdef";
        var told = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name == InstallationTraces.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                // Other appliances of these tests have installations, too.
                if (activity.TraceId.ToHexString() == Id)
                    told.Enqueue(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);
        var time = new FakeTimeProvider(DateTimeOffset.Parse("2026-03-01T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture));
        await using var appliance = await RunningAppliance.StartAsync(time: time);
        await Provisioner.Tests.Web.ConsoleSite.BuildAsync(appliance);
        // As the service has it when its configuration names a collector.
        using var traces = new InstallationTraces(appliance.Services.GetRequiredService<FleetView>(), appliance.EventLog, time);
        await traces.StartAsync(TestContext.Current.CancellationToken);
        var opened = time.GetUtcNow();
        var installation = new Installation { Id = Id, Host = "r1-n05", Profile = "worker", Image = "ubuntu-24.04", OpenedAt = opened, ClosesAt = opened.AddHours(1) };
        await PutAsync(installation);
        time.Advance(TimeSpan.FromMinutes(10));
        ImmutableArray<InstallationStage> stages =
        [
            new("disks", opened.AddMinutes(1)) { State = StageState.Done, EndedAt = opened.AddMinutes(4) },
            new("postinstall", opened.AddMinutes(4)) { State = StageState.Failed, EndedAt = opened.AddMinutes(5), Message = "E: no such package" },
        ];
        await PutAsync(installation with { Stages = stages });
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Empty(told);

        await PutAsync(installation with { Stages = stages, ClosedAt = opened.AddMinutes(12), ClosedBecause = Installation.Cancelled });
        for (var i = 0; i < 100 && told.Count < 3; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(20);
        }

        var root = told.Single(a => a.DisplayName == "installation");
        Assert.Equal((opened.UtcDateTime, TimeSpan.FromMinutes(12), default, ActivityStatusCode.Error), (root.StartTimeUtc, root.Duration, root.ParentSpanId, root.Status));
        Assert.Equal("r1-n05", root.GetTagItem("host"));
        var disks = told.Single(a => a.DisplayName == "disks");
        Assert.Equal((opened.AddMinutes(1).UtcDateTime, TimeSpan.FromMinutes(3), root.SpanId), (disks.StartTimeUtc, disks.Duration, disks.ParentSpanId));
        var failed = told.Single(a => a.DisplayName == "postinstall");
        Assert.Equal((ActivityStatusCode.Error, "E: no such package"), (failed.Status, failed.StatusDescription));
        Assert.Equal(3, told.Count);

        Task PutAsync(Installation next) => appliance.Writer.ChangeAsync(editor => { editor.Put(next); return 0; });
    }
}
