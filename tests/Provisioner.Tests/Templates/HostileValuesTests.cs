using System.Text.Json.Nodes;
using CsCheck;
using Provisioner.Resources;
using Provisioner.Templates;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;
using Provisioner.Tests.Installing;

namespace Provisioner.Tests.Templates;

/// <summary>Values that mean something to a language come back from a real reader of it as they were.</summary>
public sealed class HostileValuesTests
{
    private static readonly string[] Hostile =
    [
        "", " ", "'", "''", "\"", "\\", "\\'", "$HOME", "$(id)", "`id`", "a;b", "a && b", "a || b", "a\nb", "\n%end\n", "%end", "#x", "a #b", "no", "on", "Yes", "null", "~", "12:30", "0x10", "0o7",
        "1e3", "-", "- a", "a: b", "{a}", "[a]", "*a", "&a", "!a", "|", ">", "@x", "%TAG", "ü 漢字 🚀", "\ttab", "a\tb", "trailing ", " leading", "{{x}}", "${x}", "-n", "-e", "a\n\n", "\na",
        "a\n  b\n c\n", "a\n \nb", "=", "<<", "2024-01-01", ".5", "+1", new string('x', 253), "x\n#y", "a'b\n%include /etc/passwd\n",
    ];

    private static readonly Gen<string> Value = Gen.OneOf(Gen.OneOf(Hostile), Gen.String[Gen.OneOf(Gen.Char[' ', '~'], Gen.OneOf('\n', '\t', 'ü', '漢', '\'', '"', '$', '\\', '%', ':')), 0, 40]);

    [Theory]
    [InlineData("/bin/dash")]
    [InlineData("/bin/bash")]
    [InlineData("/usr/bin/busybox")]
    public void A_shell_word_comes_back_from_the_shell(string shell)
    {
        Tool.SkipWithout(shell);
        Value.Array[1, 40].Select(some => (string[])[.. Hostile, .. some]).Sample(values =>
        {
            using var directory = new TemporaryDirectory();
            // A NUL ends each, since the values have lines.
            File.WriteAllText(directory["script"], $"printf '%s\\0' {string.Join(' ', values.Select(Quoting.ShellWord))}\n");
            var (code, said) = Tool.Try(shell, null, shell.EndsWith("busybox", StringComparison.Ordinal) ? ["sh", directory["script"]] : [directory["script"]]);
            Assert.Equal(0, code);
            Assert.Equal(values, said.Split('\0')[..^1]);
        }, iter: 10);
    }

    [Fact]
    public void No_line_of_a_shell_word_ends_the_section_of_a_kickstart_file() => Value.Sample(value =>
        !("x " + Quoting.ShellWord(value)).Split('\n').Any(line => line.StartsWith('%')));

    [Fact]
    public void A_kickstart_word_comes_back_from_the_splitter_of_pykickstart()
    {
        var words = Hostile.Where(v => !v.Any(char.IsControl)).ToArray();
        var line = $"user --name={string.Join(' ', words.Select(Quoting.KickstartWord))}";
        Assert.Equal(["user", $"--name={words[0]}", .. words[1..]], KickstartGrammar.Split(line)!);

        // Python's own, which pykickstart calls.
        Tool.SkipWithout("/usr/bin/python3");
        var split = Tool.Run("/usr/bin/python3", "-c", "import json,shlex,sys; print(json.dumps(shlex.split(sys.argv[1], comments=True)))", line);
        Assert.Equal(KickstartGrammar.Split(line)!, JsonNode.Parse(split)!.AsArray().Select(w => w!.GetValue<string>()));
    }

    [Theory]
    [InlineData("a\nb")]
    [InlineData("a\u0085b")]
    [InlineData("a\0b")]
    public void What_a_kickstart_word_cannot_be_is_refused(string value) => Assert.Throws<QuotingException>(() => Quoting.KickstartWord(value));

    [Theory]
    [InlineData("")]
    [InlineData("-x")]
    [InlineData("@core")]
    [InlineData("a b")]
    [InlineData("a#b")]
    [InlineData("%end")]
    [InlineData("a\n%end")]
    public void What_is_no_package_is_refused(string value) => Assert.Throws<QuotingException>(() => Quoting.KickstartPackage(value));

    [Fact]
    public void YAML_comes_back_as_it_was() => Value.Array[0, 20].Sample(values =>
    {
        var tree = new JsonObject { ["list"] = new JsonArray([.. values.Select(JsonNode? (v) => v)]), ["scalar"] = values.FirstOrDefault("x"), ["deep"] = new JsonObject { ["deeper"] = new JsonArray(new JsonObject { ["text"] = values.LastOrDefault("y") }) } };
        var text = $"a:\n{Quoting.YamlBlock(4, tree)}\nb: {Quoting.Yaml(JsonValue.Create(values.FirstOrDefault("z")))}\n";
        var read = YamlTree.Read(text, out var mistakes);
        Assert.Empty(mistakes);
        Assert.True(JsonNode.DeepEquals(tree, read!["a"]), text);
        Assert.Equal(values.FirstOrDefault("z"), read["b"]!.GetValue<string>());
    });

    [Fact]
    public void YAML_and_JSON_are_the_same_to_another_reader()
    {
        Tool.SkipWithout("/usr/bin/python3", "/usr/lib/python3/dist-packages/yaml/__init__.py");
        using var directory = new TemporaryDirectory();
        var tree = new JsonArray([.. Hostile.Select(JsonNode? (v) => v)]);
        File.WriteAllText(directory["a.yaml"], $"block:\n{Quoting.YamlBlock(2, tree)}\njson: {Quoting.Json(tree)}\nscalars: [{string.Join(", ", Hostile.Select(v => Quoting.Yaml(v)))}]\n");

        var read = JsonNode.Parse(Tool.Run("/usr/bin/python3", "-c", "import json,sys,yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))", directory["a.yaml"]))!;

        foreach (var key in (string[])["block", "json", "scalars"])
            Assert.True(JsonNode.DeepEquals(tree, read[key]), $"{key}: {read[key]!.ToJsonString()}");
    }

    [Theory]
    [InlineData("a: no\n")]
    [InlineData("a: 12:30\n")]
    [InlineData("a: 012\n")]
    [InlineData("a: 1e3\n")]
    [InlineData("a: 24.04\n")]
    [InlineData("a: 1\na: 2\n")]
    [InlineData("on: 1\n")]
    [InlineData("a: &x 1\nb: *x\n")]
    [InlineData("a: 1\n---\nb: 2\n")]
    [InlineData("a: [\n")]
    public void YAML_that_two_readers_take_differently_is_not_served(string text)
    {
        Assert.Null(YamlTree.Read(text, out var mistakes));
        Assert.NotEmpty(mistakes);
    }
}
