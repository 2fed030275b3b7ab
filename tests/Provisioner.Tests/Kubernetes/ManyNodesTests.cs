using System.Diagnostics;
using System.Globalization;
using System.Text;
using Provisioner.Kubernetes;

namespace Provisioner.Tests.Kubernetes;

/// <summary>Alone, because what it measures is the whole process's.</summary>
[CollectionDefinition(nameof(ManyNodesTests), DisableParallelization = true)]
public sealed class ManyNodesDefinition;

[Collection(nameof(ManyNodesTests))]
public sealed class ManyNodesTests(ITestOutputHelper output)
{
    private const int Count = 5_000;

    private const long Limit = 200_000_000;

    [Fact]
    public async Task Five_thousand_nodes_cost_less_than_200_MB_and_one_of_them_is_not_lost_among_them()
    {
        await using var api = await KubeApi.StartAsync("--max-requests-inflight=1000", "--max-mutating-requests-inflight=500");
        // As large as nodes are: the images they hold, and who wrote which field, make up most of it.
        var images = string.Join(',', Enumerable.Range(0, 40).Select(i =>
            $$"""{"names":["602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/image-{{i}}@sha256:{{new string('a', 64)}}","602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/image-{{i}}:v1"],"sizeBytes":12345678}"""));
        await Parallel.ForAsync(0, Count, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) => await api.CreateAsync("api/v1/nodes", Node($"n-{i:0000}", images)));
        await api.CreateAsync("api/v1/nodes", Node("web-1", images));

        await using var site = await TrackedSite.StartAsync(api, endpoint: new Uri("http://127.0.0.1:9/"));
        GC.Collect();
        using var process = Process.GetCurrentProcess();
        var before = process.WorkingSet64;
        var peak = before;
        using var stop = new CancellationTokenSource();
        var sampling = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                process.Refresh();
                peak = Math.Max(peak, process.WorkingSet64);
                await Task.Delay(20);
            }
        });
        site.Access.Give = () => api.Access();
        await site.UntilAsync(() => site.Tracking.Find("prod")?.Nodes.Count == Count + 1, "all nodes");
        await site.UntilAsync("web-1", NodeState.Ready);

        var changed = Stopwatch.GetTimestamp();
        await api.ReportAsync("web-1", "False", "KubeletNotReady", "container runtime is down");
        await site.UntilAsync("web-1", NodeState.NotReady);
        var took = Stopwatch.GetElapsedTime(changed);
        await stop.CancelAsync();
        await sampling;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Count} nodes: {(peak - before) / 1e6:0} MB more at the peak; a change of one was in the record after {took.TotalMilliseconds:0} ms"));
        Assert.True(peak - before < Limit, $"{Count} nodes cost {(peak - before) / 1e6:0} MB");
        // By its own time, so that a machine with other work does not decide.
        var seen = site.Events("web-1").Last(e => e.What.EndsWith("NotReady", StringComparison.Ordinal)).At;
        Assert.True(seen - site.Node("web-1")!.Since < TimeSpan.FromSeconds(10), $"seen at {seen:O}, changed at {site.Node("web-1")!.Since:O}");
    }

    private static string Node(string name, string images)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        return new StringBuilder()
            .Append(CultureInfo.InvariantCulture, $$$"""{"apiVersion":"v1","kind":"Node","metadata":{"name":"{{{name}}}","labels":{"eks.amazonaws.com/compute-type":"hybrid","eks.amazonaws.com/hybrid-credential-provider":"iam-ra","kubernetes.io/hostname":"{{{name}}}","topology.kubernetes.io/zone":"dc1"} },""")
            .Append(CultureInfo.InvariantCulture, $$$"""  "spec":{"providerID":"eks-hybrid:///eu-west-1/prod/{{{name}}}"},"status":{"capacity":{"cpu":"8"},"addresses":[{"type":"InternalIP","address":"10.0.0.11"}],"nodeInfo":{"kubeletVersion":"v1.34.2"},""")
            .Append(CultureInfo.InvariantCulture, $$$"""  "conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":"{{{now}}}","lastTransitionTime":"{{{now}}}"}],"images":[{{{images}}}]}}""")
            .ToString();
    }
}
