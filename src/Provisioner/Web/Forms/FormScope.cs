using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Web.Forms;

/// <summary>What all fields of one form have in common.</summary>
/// <param name="Document">What is filled in.</param>
/// <param name="Mistakes">All that is wrong with it now.</param>
/// <param name="MayChange">Whoever looks may change it.</param>
/// <param name="Fixed">Places that stay as they are, such as the name of what is stored.</param>
/// <param name="Names">The resources there are, of a kind.</param>
internal sealed record FormScope(DocumentForm Document, IReadOnlyList<Mistake> Mistakes, bool MayChange, IReadOnlyList<DocumentPath> Fixed, Func<string, IEnumerable<string>> Names)
{
    /// <summary>Puts a value in its place; with a sentence, why what was typed is not one.</summary>
    public required Action<DocumentPath, JsonNode?, string?> Edit { get; init; }

    /// <summary>Whether what was typed there is not in the document, because it is none or cannot be put there.</summary>
    public required Func<DocumentPath, bool> IsPending { get; init; }

    /// <summary>Shows the same as YAML.</summary>
    public required Action ShowYaml { get; init; }
}
