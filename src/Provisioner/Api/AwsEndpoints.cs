using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Provisioner.Aws;
using Provisioner.Aws.Setup;
using Provisioner.Clusters;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>What a Cluster needs in AWS: planned, made, checked, tried.</summary>
internal static class AwsEndpoints
{
    public static readonly string[] Formats = ["text", "cloudformation", "terraform", "policies", "kubernetes"];

    public static void MapAws(this IEndpointRouteBuilder api)
    {
        api.MapGet("/clusters/{name}/aws/plan", (string name, CurrentState state, AwsOptions options, string? @as = null, string? account = null) => Plan(Find(name, state), state, options, @as ?? "text", account));
        api.MapPost("/clusters/{name}/aws/apply", (string name, HttpContext context, CurrentState state, AwsApply apply, IHostApplicationLifetime lifetime) =>
            TypedResults.ServerSentEvents(StepsAsync(apply, Find(name, state), Caller.Name(context), lifetime.ApplicationStopping, context.RequestAborted)));
        api.MapGet("/clusters/{name}/aws/check", async (string name, HttpContext context, CurrentState state, ClusterCheck check) =>
            Json.Answer(Json.List((await check.RunAsync(Find(name, state), context.RequestAborted)).Select(Describe))));
        api.MapPost("/hosts/{name}/aws/test", TestAsync);
    }

    private static Cluster Find(string name, CurrentState state) => (Cluster)ResourceEndpoints.Find(ResourceKind.Cluster, name, state.Snapshot);

    private static IResult Plan(Cluster cluster, CurrentState state, AwsOptions options, string format, string? account)
    {
        if (account is not null && (account.Length != 12 || !account.All(char.IsAsciiDigit)))
            throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"'{Reading.Shorten(account)}' is not an AWS account") { Path = "account", Value = Reading.Shorten(account), Expected = "twelve digits such as 111122223333" }]);
        var plan = AwsPlan.For(cluster, state.Snapshot, options.CommonName, account);
        return format switch
        {
            "text" => Results.Text(AwsPlanText.Write(plan), "text/plain; charset=utf-8"),
            "cloudformation" => Results.Text(CloudFormationTemplate.Everything(plan), "application/yaml"),
            "terraform" => Results.Text(Terraform.Everything(plan), "text/plain; charset=utf-8"),
            "policies" => Results.Text(AwsPlanText.Policies(plan), "application/json"),
            "kubernetes" => Results.Text(AwsPlan.Rbac, "application/yaml"),
            _ => throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"'{Reading.Shorten(format)}' is not a form of a plan") { Path = "as", Value = Reading.Shorten(format), Expected = $"one of {string.Join(", ", Formats)}" }]),
        };
    }

    private static async IAsyncEnumerable<SseItem<string>> StepsAsync(AwsApply apply, Cluster cluster, string actor, CancellationToken stopping, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cancellation);
        await foreach (var step in apply.RunAsync(cluster, actor, either.Token))
            yield return new SseItem<string>(new JsonObject { ["step"] = step.Name, ["result"] = Json.Word(step.Result), ["detail"] = step.Detail }.ToJsonString(Json.Options));
    }

    private static async Task<IResult> TestAsync(string name, HttpContext context, CurrentState state, HostTrial trial)
    {
        var host = (Host)ResourceEndpoints.Find(ResourceKind.Host, name, state.Snapshot);
        if (host.RetiredAt is { } at)
            throw new ChangeRefusedException(RefusalKind.Conflict, $"Host {host.Name} was retired on {at:u}: it is not to be let in.");
        if (host.Spec.Profile is not { } by || state.Snapshot.Profiles.GetValueOrDefault(by)?.Spec is not { Cluster: { } joins } profile || !state.Snapshot.Clusters.TryGetValue(joins, out var cluster))
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"Host {host.Name} is to join no cluster") { Expected = "a profile (spec.profile) that names one (its spec.cluster)" }]);
        if ((profile.Node?.CredentialProvider ?? cluster.Spec.CredentialProvider) == CredentialProvider.Ssm)
            throw new ChangeRefusedException(RefusalKind.Conflict, $"Host {host.Name} joins by an activation of Systems Manager, not by a certificate: there is nothing to try.");
        var outcome = await trial.RunAsync(host, cluster, context.RequestAborted);
        return Json.Answer(Json.WithoutNulls(new JsonObject
        {
            ["host"] = host.Name,
            ["cluster"] = cluster.Name,
            ["accepted"] = outcome.Accepted,
            ["refusedBy"] = outcome.RefusedBy,
            ["said"] = outcome.Said,
            ["findings"] = outcome.Findings.Count == 0 ? null : new JsonArray([.. outcome.Findings.Select(Describe)]),
        }));
    }

    private static JsonObject Describe(Finding finding) => new()
    {
        ["code"] = finding.Code,
        ["severity"] = finding.IsWarning ? "warning" : "error",
        ["wrong"] = finding.Wrong,
        ["breaks"] = finding.Breaks,
        ["remedy"] = finding.Remedy,
    };
}
