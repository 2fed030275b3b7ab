using System.Text.RegularExpressions;
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
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "resources.md"));

        Assert.True(page.Contains(table, StringComparison.Ordinal), $"docs/resources.md must hold this table of {kind}:\n\n{table}");
    }

    public static TheoryData<string> Pages { get; } = [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md").Append(Path.Combine(Repository.Root, "README.md")).Select(p => Path.GetRelativePath(Repository.Root, p)).Order(StringComparer.Ordinal)];

    /// <summary>An example is typed off: what is written there is read without a mistake.</summary>
    [Theory]
    [MemberData(nameof(Pages))]
    public void Each_example_can_be_applied(string page)
    {
        foreach (Match block in Regex.Matches(File.ReadAllText(Path.Combine(Repository.Root, page)), @"^(?<indent> *)```yaml\n(?<text>.*?)^ *```", RegexOptions.Multiline | RegexOptions.Singleline))
        {
            var text = Regex.Replace(block.Groups["text"].Value, $"^{block.Groups["indent"].Value}", "", RegexOptions.Multiline);
            if (!text.StartsWith("apiVersion: provisioner/v1", StringComparison.Ordinal))
                continue;
            // A key of the reader's own goes there.
            text = text.Replace("ssh-ed25519 AAAA…", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", StringComparison.Ordinal);
            var read = ResourceReader.Read(text);
            Assert.True(read.Mistakes.Count == 0, $"{page}:\n{text}\n{string.Join("\n", read.Mistakes)}");
        }
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
}
