using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Provisioner.Certificates;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Joining;
using Provisioner.Networks;
using Provisioner.Progress;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>The records the appliance makes itself, as the API says them. Resources are written by <see cref="ResourceWriter"/>.</summary>
internal static class Json
{
    /// <summary>Not for HTML: what people read stays as it is, such as → and '.</summary>
    public static JsonSerializerOptions Options { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>As people read it.</summary>
    public static JsonSerializerOptions Indented { get; } = new(Options) { WriteIndented = true };

    public static string? At(DateTimeOffset? time) =>
        time is { } at && at != default ? at.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture) : null;

    public static JsonObject Of(Event entry) => WithoutNulls(new()
    {
        ["id"] = entry.Id,
        ["at"] = At(entry.At),
        ["source"] = Word(entry.Source),
        ["outcome"] = Word(entry.Outcome),
        ["host"] = entry.Host,
        ["macAddress"] = entry.MacAddress?.ToString(),
        ["what"] = entry.What,
        ["reason"] = entry.Reason,
        ["actor"] = entry.Actor,
        ["subject"] = entry.Subject,
    });

    public static JsonObject Of(Discovered discovered) => WithoutNulls(new()
    {
        ["macAddress"] = discovered.MacAddress.ToString(),
        ["vendor"] = discovered.Vendor,
        ["architecture"] = discovered.Architecture,
        ["manufacturer"] = discovered.Manufacturer,
        ["product"] = discovered.Product,
        ["serial"] = discovered.Serial,
        ["uuid"] = discovered.Uuid,
        ["vendorClass"] = discovered.VendorClass,
        ["address"] = discovered.Address,
        ["network"] = discovered.Network,
        ["firstSeen"] = At(discovered.FirstSeen),
        ["lastSeen"] = At(discovered.LastSeen),
        ["times"] = discovered.Times,
        ["ignoredAt"] = At(discovered.IgnoredAt),
    });

    public static JsonObject Of(Installation installation, DateTimeOffset now) => WithoutNulls(new()
    {
        ["id"] = installation.Id,
        ["host"] = installation.Host,
        ["profile"] = installation.Profile,
        ["image"] = installation.Image,
        ["open"] = installation.IsOpenAt(now),
        ["enrolOnly"] = installation.EnrolOnly ? true : null,
        ["diskless"] = installation.Diskless ? true : null,
        ["openedAt"] = At(installation.OpenedAt),
        ["closesAt"] = At(installation.ClosesAt),
        ["installedAt"] = At(installation.InstalledAt),
        ["heardAt"] = At(installation.HeardAt),
        ["stages"] = Of(installation.Stages, now),
        ["closedAt"] = At(installation.ClosedAt),
        ["closedBecause"] = installation.ClosedBecause,
        ["actor"] = installation.Actor,
    });

    public static JsonObject Of(HostJoin join, DateTimeOffset now) => WithoutNulls(new()
    {
        ["attempt"] = join.Attempt,
        ["startedAt"] = At(join.StartedAt),
        ["heardAt"] = At(join.HeardAt),
        ["joinedAt"] = At(join.JoinedAt),
        ["nodeIp"] = join.NodeIp?.ToString(),
        ["kubernetesVersion"] = join.KubernetesVersion,
        ["activation"] = join.ActivationId,
        ["activationEndsAt"] = At(join.ActivationEndsAt),
        ["stages"] = Of(join.Stages, now),
    });

    public static JsonObject Of(Finding finding, HostFindings of) => WithoutNulls(new()
    {
        ["host"] = of.Host,
        ["at"] = At(finding.ProbedAt ?? of.At),
        ["by"] = finding.ProbedAt is null ? "host" : "appliance",
        ["code"] = finding.Code,
        ["verdict"] = Word(finding.Verdict),
        ["found"] = finding.Found,
        ["breaks"] = finding.Breaks.Length == 0 ? null : finding.Breaks,
        ["ask"] = finding.Ask.Length == 0 ? null : finding.Ask,
    });

    private static JsonArray? Of(System.Collections.Immutable.ImmutableArray<InstallationStage> stages, DateTimeOffset now) => stages.IsEmpty ? null : new JsonArray([.. stages.Select(stage => (JsonNode)WithoutNulls(new()
    {
        ["name"] = stage.Name,
        ["state"] = Word(stage.State),
        ["startedAt"] = At(stage.StartedAt),
        ["endedAt"] = At(stage.EndedAt),
        ["seconds"] = Math.Round(((stage.EndedAt ?? now) - stage.StartedAt).TotalSeconds, 1),
        ["message"] = stage.Message,
    }))]);

    public static JsonObject Of(Lease lease) => WithoutNulls(new()
    {
        ["address"] = lease.Address.ToString(),
        ["macAddress"] = lease.MacAddress.ToString(),
        ["network"] = lease.Network,
        ["hostName"] = lease.HostName,
        ["endsAt"] = At(lease.EndsAt),
        ["declined"] = lease.Declined,
    });

    public static JsonObject Of(Certificate certificate, Snapshot snapshot, DateTimeOffset now) => WithoutNulls(new()
    {
        ["serial"] = certificate.Serial,
        ["host"] = certificate.Host,
        ["authority"] = certificate.Authority,
        ["state"] = certificate.IsRevoked ? "revoked" : now > certificate.NotAfter ? "over"
            : snapshot.GoodCertificateOf(certificate.Host, now)?.Serial == certificate.Serial ? "good" : "replaced",
        ["issuedAt"] = At(certificate.IssuedAt),
        ["notBefore"] = At(certificate.NotBefore),
        ["notAfter"] = At(certificate.NotAfter),
        ["renewAfter"] = certificate.IsGoodAt(now) ? At(RenewalPlan.For(certificate, snapshot).RenewAfter) : null,
        ["renews"] = certificate.Renews,
        ["installation"] = certificate.Installation,
        ["seenByAwsAt"] = At(certificate.SeenByAwsAt),
        ["revokedAt"] = At(certificate.RevokedAt),
        ["revokedBecause"] = certificate.RevokedBecause is { } reason ? Word(reason) : null,
    });

    public static JsonObject Of(Alert alert) => WithoutNulls(new()
    {
        ["id"] = alert.Id,
        ["severity"] = Word(alert.Severity),
        ["host"] = alert.Host,
        ["message"] = alert.Message,
        ["remedy"] = alert.Remedy,
        ["firstAt"] = At(alert.FirstAt),
        ["lastAt"] = At(alert.LastAt),
        ["times"] = alert.Times,
        ["dismissedAt"] = At(alert.DismissedAt),
    });

    public static JsonObject List(IEnumerable<JsonObject> items) => new() { ["items"] = new JsonArray([.. items]) };

    /// <summary><c>ProxyDhcp</c> as <c>proxyDhcp</c>.</summary>
    public static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    public static JsonObject WithoutNulls(JsonObject json)
    {
        foreach (var key in json.Where(p => p.Value is null).Select(p => p.Key).ToList())
            json.Remove(key);
        return json;
    }

    public static IResult Answer(JsonNode json, int status = StatusCodes.Status200OK) =>
        Results.Text(json.ToJsonString(Options), "application/json", statusCode: status);
}
