using System.Collections.Immutable;
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
    /// <summary>Creates or configures every document's resource, or none of them.</summary>
    /// <exception cref="ChangeRefusedException">All mistakes of all documents.</exception>
    public static ImmutableArray<ApplyOutcome> Apply(StateEditor editor, IReadOnlyList<ResourceDocument> documents, string? actor) =>
        throw new NotSupportedException("Not there yet");

    /// <summary>Deletes a resource that nothing refers to.</summary>
    /// <exception cref="ChangeRefusedException">It is not there, or something refers to it.</exception>
    public static IResource Delete(StateEditor editor, string kind, string name, string? actor) => throw new NotSupportedException("Not there yet");
}
