using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Provisioner.Resources;

namespace Provisioner.Tests.Resources;

/// <summary>Long literal blocks are left out of what the parser reads, and no text reads otherwise by that.</summary>
public sealed class YamlTreeTests
{
    private static readonly Gen<string> Line = Gen.OneOf(
        Gen.OneOf("", "", "# not a comment", "key: value", "- item", "content: |", "  - x: |-", "---", "...", "\ttab", "a \\ \"b\"", "%end", "ü 漢字", "🚀", "\u0085", "PROVISIONER-LITERAL-BLOCK-0", "a: 'b", "{", "no"),
        Gen.Char[' ', '~'].Array[0, 60].Select(c => new string(c)));

    private static readonly Gen<string> Script = Gen.Select(Line.Array[1, 30], Gen.Bool, (lines, ends) => "#!/bin/sh\n" + string.Join('\n', lines) + new string('x', 300) + (ends ? "\n" : ""));

    private static readonly Gen<JsonNode> Tree = Gen.Recursive<JsonNode>((depth, child) => depth == 4
        ? Script.Select(s => (JsonNode)JsonValue.Create(s))
        : Gen.OneOf(
            Script.Select(s => (JsonNode)JsonValue.Create(s)), Line.Select(s => (JsonNode)JsonValue.Create(s)),
            child.Array[1, 4].Select(items => (JsonNode)new JsonArray([.. items.Select(i => i.DeepClone())])),
            child.Array[1, 4].Select(items => (JsonNode)new JsonObject(items.Select((item, i) => KeyValuePair.Create($"k{i}", (JsonNode?)item.DeepClone()))))));

    [Fact]
    public void What_is_written_is_read_back() => Tree.Where(t => t is JsonObject).Sample(tree =>
    {
        var read = YamlTree.Read(YamlWriter.Write(tree), tree, out var mistakes);
        Assert.Empty(mistakes);
        Assert.True(JsonNode.DeepEquals(tree, read));
    }, iter: 300);

    /// <summary>Whatever is changed in a text, blocks left out or not, it is the same tree or the same mistakes.</summary>
    [Fact]
    public void A_damaged_text_reads_the_same_with_and_without_its_blocks() =>
        Gen.Select(Tree.Where(t => t is JsonObject), Gen.Select(Gen.Double[0, 1], Gen.OneOf(" ", "  ", "\n", "\n\n", "x", "\"", "'", "|", "#", "\t", "\r", "- ", ": |\n", "\u2028", "---\n"), Gen.Int[0, 3]).Array[0, 4]).Sample((tree, damages) =>
        {
            var text = new StringBuilder(YamlWriter.Write(tree));
            foreach (var (where, what, cut) in damages)
            {
                var at = (int)(where * text.Length);
                text.Remove(at, Math.Min(cut, text.Length - at)).Insert(at, what);
            }
            var whole = YamlTree.Read(text.ToString(), out var wrong);
            var read = YamlTree.Read(text.ToString(), tree, out var mistakes);
            Assert.Equal(wrong.Select(m => m.ToString()), mistakes.Select(m => m.ToString()));
            Assert.True(JsonNode.DeepEquals(whole, read), text.ToString());
        }, iter: 2000);

    [Fact]
    public void A_long_block_is_left_out_and_put_back()
    {
        var script = string.Concat(Enumerable.Range(0, 50).Select(i => $"echo 'line {i}'\n"));
        var tree = new JsonObject { ["files"] = new JsonArray(new JsonObject { ["path"] = "/x", ["content"] = script }), ["last"] = script };
        var text = YamlWriter.Write(tree);
        var outline = YamlOutline.Of(text, tree)!;
        Assert.InRange(outline.Text.Length, 1, 150);
        Assert.Equal(script, YamlTree.Read(text, tree, out _)!["files"]![0]!["content"]!.GetValue<string>());
        Assert.Null(YamlOutline.Of("a: |\n  short\n  text\n", new JsonObject { ["a"] = "short\ntext\n" }));
        // Another end of the block than was meant is another text.
        Assert.Equal(script.TrimEnd('\n'), YamlTree.Read(text.Replace("last: |\n", "last: |-\n", StringComparison.Ordinal), tree, out _)!["last"]!.GetValue<string>());
        Assert.Equal(script + "more\n", YamlTree.Read(text + "  more\n", tree, out _)!["last"]!.GetValue<string>());
        // A head that is none, inside of quotes: the whole is read.
        var line = new string('y', 300);
        Assert.Equal($"x: | {line} z", YamlTree.Read($"a: \"x: |\n  {line}\n  z\"\n", new JsonObject { ["a"] = $"{line}\nz\"\n" }, out _)!["a"]!.GetValue<string>());
    }
}
