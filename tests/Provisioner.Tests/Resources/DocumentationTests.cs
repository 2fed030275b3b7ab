using System.Runtime.CompilerServices;
using Provisioner.Resources;

namespace Provisioner.Tests.Resources;

/// <summary>docs/resources.md says what the declarations say: a key without its row, or a row that is out of date, fails here.</summary>
public sealed class DocumentationTests
{
    public static TheoryData<string> Kinds { get; } = new("Host", "Profile", "Image", "Network", "Cluster");

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Each_key_is_documented_as_it_is_declared(string kind)
    {
        var table = string.Concat(Rows(ResourceKind.Find(kind)!.Fields.Single(f => f.Name == "spec").Fields, ""));
        var page = File.ReadAllText(Path.Combine(Root(), "docs", "resources.md"));

        Assert.True(page.Contains(table, StringComparison.Ordinal), $"docs/resources.md must hold this table of {kind}:\n\n{table}");
    }

    private static IEnumerable<string> Rows(IEnumerable<FieldDescription> fields, string prefix)
    {
        foreach (var field in fields)
        {
            if (field.Fields.Count == 0)
                yield return $"| `{prefix}{field.Name}`{(field.Required ? " *" : "")} | {field.Expected} | {field.Description} |\n";
            foreach (var row in Rows(field.Fields, $"{prefix}{field.Name}."))
                yield return row;
        }
    }

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));
}
