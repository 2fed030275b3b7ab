using System.Collections.Immutable;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Storage;

namespace Provisioner.Resources;

public enum ApplyResult
{
    Created,
    Configured,
    Unchanged,
}

/// <summary>What became of one document.</summary>
public sealed record ApplyOutcome(string Kind, string Name, ApplyResult Result);

/// <summary>Changes of resources, for <see cref="StateWriter.ChangeAsync{T}"/>.</summary>
public static class ResourceChanges
{
    /// <summary>Creates or configures every document's resource, or none of them. Documents may refer to each other in any order.</summary>
    /// <exception cref="ChangeRefusedException">All mistakes of all documents.</exception>
    public static ImmutableArray<ApplyOutcome> Apply(StateEditor editor, IReadOnlyList<ResourceDocument> documents, string? actor)
    {
        var conflicts = VersionConflicts(editor.Snapshot, documents).ToList();
        if (conflicts.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Conflict, conflicts);

        var mistakes = new References(editor.Snapshot, documents).Check();
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Conflict, mistakes);

        // A MAC address may move from one host of the text to another: those that give go before those that take.
        var outcomes = new ApplyOutcome[documents.Count];
        var changed = new List<int>();
        for (var i = 0; i < documents.Count; i++)
        {
            var resource = documents[i].Resource;
            var stored = editor.Snapshot.Find(resource.Kind, resource.Metadata.Name);
            var result = stored is null ? ApplyResult.Created : ResourceWriter.SameWish(resource, stored) ? ApplyResult.Unchanged : ApplyResult.Configured;
            outcomes[i] = new(resource.Kind, resource.Metadata.Name, result);
            if (result != ApplyResult.Unchanged)
                changed.Add(i);
        }
        editor.PutAll(changed.Select(i => documents[i].Resource));
        foreach (var i in changed)
            RecordChange(editor, documents[i].Resource, outcomes[i].Result == ApplyResult.Created ? "created" : "configured", "applied", actor);
        return [.. outcomes];
    }

    /// <summary>Deletes a resource that nothing refers to.</summary>
    /// <exception cref="ChangeRefusedException">It is not there, or something refers to it.</exception>
    public static IResource Delete(StateEditor editor, string kind, string name, string? actor)
    {
        var known = ResourceKind.Find(kind)
            ?? throw new ChangeRefusedException(RefusalKind.NotFound, $"there is no kind of resource '{Reading.Shorten(kind)}'; there are {string.Join(", ", ResourceKind.All.Select(k => k.Name))}");
        var stored = editor.Snapshot.Find(known.Name, name) ?? throw NotFound(editor.Snapshot, known, name);
        var users = Users(editor, stored).ToList();
        if (users.Count > 0)
        {
            throw new ChangeRefusedException(RefusalKind.Conflict,
                [new Mistake($"{known.Name} {name} is used by {Enumerate(users)}") { Value = name, Expected = "that nothing refers to it: change or delete those first" }]);
        }
        switch (stored)
        {
            case Host:
                editor.RemoveHost(name);
                break;
            case Profile:
                editor.RemoveProfile(name);
                break;
            case Image:
                editor.RemoveImage(name);
                break;
            case Network:
                editor.RemoveNetwork(name);
                break;
            case Cluster:
                editor.RemoveCluster(name);
                break;
        }
        RecordChange(editor, stored, "deleted", "deleted", actor);
        return stored;
    }

    internal static ChangeRefusedException NotFound(Snapshot snapshot, ResourceKind kind, string name)
    {
        var nearest = Spelling.Nearest(name, snapshot.NamesOf(kind.Name));
        return new(RefusalKind.NotFound, $"there is no {kind.Name} '{Reading.Shorten(name)}'" + (nearest is null ? "" : $"; did you mean '{nearest}'?"));
    }

    internal static void RecordChange(StateEditor editor, IResource resource, string verb, string reason, string? actor) => editor.Record(new Event
    {
        At = editor.Now,
        Source = EventSource.Api,
        Outcome = EventOutcome.Changed,
        Host = resource is Host ? resource.Metadata.Name : null,
        What = $"{resource.Kind} {resource.Metadata.Name} {verb}",
        Reason = reason,
        Actor = actor,
        Subject = $"{resource.Kind}/{resource.Metadata.Name}",
    });

    internal static string Enumerate(IReadOnlyCollection<string> names) =>
        names.Count <= 5 ? string.Join(", ", names) : string.Join(", ", names.Take(5)) + $" and {names.Count - 5} more";

    private static IEnumerable<string> Users(StateEditor editor, IResource resource) => resource switch
    {
        Profile profile => editor.Snapshot.Hosts.Values.Where(h => h.Spec.Profile == profile.Name).Select(h => $"Host {h.Name}"),
        Cluster cluster => editor.Snapshot.Profiles.Values.Where(p => p.Spec.Cluster == cluster.Name).Select(p => $"Profile {p.Name}"),
        Image image => editor.Snapshot.Profiles.Values.Where(p => p.Spec.Image == image.Name).Select(p => $"Profile {p.Name}"),
        Host host when editor.Snapshot.Installations.GetValueOrDefault(host.Name) is { } i && i.IsOpenAt(editor.Now) =>
            [$"the Installation open until {i.ClosesAt:u}; cancel it first"],
        Host host when editor.Snapshot.GoodCertificateOf(host.Name, editor.Now) is { } good =>
            [$"certificate {good.Serial}, good until {good.NotAfter:u}; 'provisioner retire {host.Name}' revokes it"],
        _ => [],
    };

    private static IEnumerable<Mistake> VersionConflicts(Snapshot snapshot, IReadOnlyList<ResourceDocument> documents)
    {
        foreach (var document in documents)
        {
            var metadata = document.Resource.Metadata;
            if (metadata.ResourceVersion == 0)
                continue;
            var stored = snapshot.Find(document.Resource.Kind, metadata.Name)?.Metadata.ResourceVersion;
            if (stored != metadata.ResourceVersion)
            {
                yield return document.MistakeAt("metadata.resourceVersion",
                    stored is null ? $"{document.Resource.Kind} {metadata.Name} is not stored, so it has no version"
                        : $"{document.Resource.Kind} {metadata.Name} was changed by somebody else: it is at version {stored}",
                    metadata.ResourceVersion.ToString(),
                    stored is null ? "no resourceVersion" : "the document as it is now (get it again), or no resourceVersion to overwrite");
            }
        }
    }
}
