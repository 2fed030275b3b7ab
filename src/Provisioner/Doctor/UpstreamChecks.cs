using System.Net.Sockets;
using Provisioner.Artifacts;
using Provisioner.Aws;
using Provisioner.Joining;
using Provisioner.Storage;

namespace Provisioner.Doctor;

/// <summary>Whether what the appliance fetches from, and AWS, can be reached: a connection, no more.</summary>
internal static class UpstreamChecks
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(4);

    public static async Task<IReadOnlyList<Finding>> OfAsync(ArtifactOptions artifacts, AwsOptions aws, AwsEndpoints endpoints, Snapshot snapshot, CancellationToken ct)
    {
        var asked = new List<Task<Finding>>();
        if (!artifacts.Offline)
        {
            foreach (var upstreams in artifacts.Allowed.GroupBy(u => (u.Url.Host, u.Url.Port)))
            {
                var names = string.Join(", ", upstreams.Select(u => u.Name));
                asked.Add(AskAsync($"upstream:{upstreams.Key.Host}", upstreams.Key.Host, upstreams.Key.Port, Verdict.Warn, $"What is not in the cache yet of {names} cannot be fetched; what is there is served.",
                    "Open the way there in the firewall, or set the service's HTTPS_PROXY; for a site without a way out, bring the files: docs/artifacts.md.", ct));
            }
        }
        if (aws.Credentials != AwsCredentialsKind.None)
        {
            foreach (var region in snapshot.Clusters.Values.Select(c => c.Spec.Region).Distinct(StringComparer.Ordinal))
            {
                foreach (var service in new[] { "rolesanywhere", "eks", "sts" })
                {
                    var url = endpoints.Of(service, region);
                    asked.Add(AskAsync($"upstream:{url.Host}", url.Host, url.Port, Verdict.Fail, "Revocations do not reach AWS, and what clusters show of their nodes is not followed.", "Open the way there in the firewall, for this machine and for the hosts.", ct));
                }
            }
        }
        return await Task.WhenAll(asked);
    }

    private static async Task<Finding> AskAsync(string code, string host, int port, Verdict otherwise, string breaks, string remedy, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(host, port, limit.Token);
            return new Finding(code, Verdict.Pass, $"{host}:{port} is reached.", "", "");
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            return new Finding(code, otherwise, $"{host}:{port} is not reached: {(e is SocketException socket ? socket.Message : $"no answer within {Limit.TotalSeconds:0} seconds")}.", breaks, remedy);
        }
    }
}
