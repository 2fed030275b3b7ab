using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using Provisioner.Auth;
using Provisioner.Certificates;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Kubernetes;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Audit;

/// <summary>
/// Makes the entries of a commit: one for each event that names who made a change, with the records it touched. What the appliance does by itself is in
/// the events; the trail is about people and programs.
/// </summary>
internal static class AuditedRecords
{
    public static IReadOnlyList<AuditEntry> Of(Snapshot before, StateEditor editor)
    {
        var causes = editor.Events.Where(e => e is { Actor: not null, Outcome: EventOutcome.Changed }).ToList();
        if (causes.Count == 0)
            return [];
        var changes = causes.Select(_ => ImmutableArray.CreateBuilder<AuditedChange>()).ToList();
        foreach (var ((kind, id), record) in editor.Writes)
        {
            var (was, present) = (before.FindRecord(kind, id), record);
            if ((Describe(was), Describe(present)) is var (old, now) && JsonNode.DeepEquals(old, now))
                continue;
            var name = $"{kind}/{NameOf(present ?? was!) ?? id}";
            // The event about this very record, then one about its host, then the first: what a change brought with it.
            var cause = causes.FindIndex(e => e.Subject == name);
            if (cause < 0 && HostOf(present ?? was!) is { } host)
                cause = causes.FindIndex(e => e.Host == host);
            changes[Math.Max(0, cause)].Add(new(name, old, now));
        }
        return [.. causes.Select((cause, i) => new AuditEntry
        {
            At = cause.At,
            Actor = cause.Actor!,
            What = cause.What,
            Reason = cause.Reason,
            Subject = cause.Subject,
            Changes = changes[i].ToImmutable(),
        })];
    }

    /// <summary>The record as the trail keeps it, without secrets; null for what is not kept.</summary>
    private static JsonObject? Describe(object? record) => record switch
    {
        IResource resource => SecretKeys.LeaveOut(ResourceWriter.ToJson(resource)),
        User user => Words(("role", Roles.Word(user.Role)), ("issuer", user.Issuer), ("passwordChangedAt", At(user.PasswordChangedAt))),
        ApiToken token => Words(("role", Roles.Word(token.Role)), ("endsAt", At(token.EndsAt))),
        Session session => Words(("user", session.User), ("address", session.Address), ("endsAt", At(session.EndsAt))),
        Installation i => Words(("host", i.Host), ("profile", i.Profile), ("image", i.Image), ("openedAt", At(i.OpenedAt)), ("closesAt", At(i.ClosesAt)), ("closedAt", At(i.ClosedAt)), ("closedBecause", i.ClosedBecause)),
        Authority authority => Words(("subject", authority.Subject), ("state", authority.State.ToString()), ("keyStore", authority.KeyStore)),
        Certificate certificate => Words(("host", certificate.Host), ("notAfter", At(certificate.NotAfter)), ("revokedAt", At(certificate.RevokedAt)), ("revokedBecause", certificate.RevokedBecause?.ToString())),
        Alert alert => Words(("message", alert.Message), ("dismissedAt", At(alert.DismissedAt))),
        Rollout rollout => Words(("cluster", rollout.Cluster), ("version", rollout.Version), ("state", rollout.State.ToString()), ("reason", rollout.Reason)),
        DesiredVersion version => Words(("version", version.Version)),
        _ => null,
    };

    private static string? NameOf(object record) => record is ApiToken token ? token.Name : null;

    private static string? HostOf(object record) => record switch
    {
        Host host => host.Name,
        Installation installation => installation.Host,
        Certificate certificate => certificate.Host,
        DesiredVersion version => version.Host,
        _ => null,
    };

    private static JsonObject Words(params (string Key, string? Value)[] words)
    {
        var json = new JsonObject();
        foreach (var (key, value) in words)
        {
            if (value is not null)
                json[key] = value;
        }
        return json;
    }

    private static string? At(DateTimeOffset? time) => time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
