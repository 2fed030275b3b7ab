using System.Globalization;
using System.Text.Json.Nodes;
using CsCheck;
using Provisioner.Resources;

namespace Provisioner.Tests.Resources;

/// <summary>One value of a text is changed, and nothing else of it.</summary>
public sealed class YamlEditTests
{
    private const string Text = """
        # The workers of hall 1
        kind: Profile
        spec:   # all of it
          image: "debian-12"   # until 13 is out
          boot: {}
          node:
            labels: { team: a, "example.com/x": 'y' }   # two
            kubeletConfig:
              maxPods: 50       # a number
              cpuManagerPolicy: static
          install:
            ntp: [10.0.0.1, 10.0.0.2] # site
            users:
            - name: ops   # first
              sudo: true
              sshKeys:
                - ssh-ed25519 AAAA a@b
            -
              name: dev
            after: |
              # not a comment
              echo one

              echo two
            locale: en_US.UTF-8
        # the end

        """;

    public static TheoryData<string, string?, string, string> Changes => new()
    {
        // A word, in its quotes' place; what stands beside it stays.
        { "spec.image", "\"ubuntu-24.04\"", "  image: \"debian-12\"   # until", "  image: ubuntu-24.04   # until" },
        { "spec.node.kubeletConfig.maxPods", "60", "maxPods: 50       #", "maxPods: 60       #" },
        { "spec.image", "\"no\"", "image: \"debian-12\"", "image: \"no\"" },
        // In braces and brackets it stays one line.
        { "spec.node.labels", """{ "team": "b" }""", "{ team: a, \"example.com/x\": 'y' }", "{ team: b }" },
        { "spec.install.ntp", """["10.0.0.3"]""", "[10.0.0.1, 10.0.0.2]", "[\"10.0.0.3\"]" },
        { "spec.node.labels.team", null, "{ team: a, \"example", "{ \"example" },
        // New keys come last in their mapping, also where there was none.
        { "spec.cluster", "\"prod\"", "locale: en_US.UTF-8\n", "locale: en_US.UTF-8\n  cluster: prod\n" },
        { "spec.boot.local", "\"exit\"", "boot: {}", "boot:\n    local: exit" },
        { "spec.node.labels.new", "\"1\"", "'y' }", "'y', new: \"1\" }" },
        { "metadata.name", "\"worker\"", "locale: en_US.UTF-8\n", "locale: en_US.UTF-8\nmetadata:\n  name: worker\n" },
        { "spec.install.users[1].sudo", "true", "      name: dev\n", "      name: dev\n      sudo: true\n" },
        { "spec.install.users[0].passwordHash", "\"$6$x\"", "        - ssh-ed25519 AAAA a@b\n", "        - ssh-ed25519 AAAA a@b\n      passwordHash: \"$6$x\"\n" },
        // Lists of mappings grow and shrink.
        { "spec.install.users[2]", """{ "name": "new" }""", "      name: dev\n", "      name: dev\n    - name: new\n" },
        { "spec.install.users[0]", null, "    - name: ops   # first\n      sudo: true\n      sshKeys:\n        - ssh-ed25519 AAAA a@b\n", "" },
        { "spec.install.users[1]", null, "    -\n      name: dev\n", "" },
        { "spec.install.users[1].name", null, "    -\n      name: dev\n", "    - {}\n" },
        { "spec.install.users[0].name", null, "    - name: ops   # first\n      sudo", "    - sudo" },
        // Scripts.
        { "spec.install.after", "\"reboot\"", " |\n      # not a comment\n      echo one\n\n      echo two\n", " reboot\n" },
        { "spec.install.after", "\"a\\nb\\n\"", " |\n      # not a comment\n      echo one\n\n      echo two\n", " |\n      a\n      b\n" },
        { "spec.install.before", "\"a\\n  b\"", "locale: en_US.UTF-8\n", "locale: en_US.UTF-8\n    before: |-\n      a\n        b\n" },
        { "spec.install.locale", "\"a\\nb\"", " en_US.UTF-8\n", " |-\n      a\n      b\n" },
        // Whole parts go with their lines, and no others.
        { "spec.node", null, "  node:\n    labels: { team: a, \"example.com/x\": 'y' }   # two\n    kubeletConfig:\n      maxPods: 50       # a number\n      cpuManagerPolicy: static\n", "" },
        { "spec.boot", null, "  boot: {}\n", "" },
        { "spec.nothing.of.it", null, "", "" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void One_value_is_changed_and_every_other_character_stays(string path, string? value, string before, string after)
    {
        if (before.Length > 0)
            Assert.Single(System.Text.RegularExpressions.Regex.Matches(Text, System.Text.RegularExpressions.Regex.Escape(before)));
        var expected = before.Length == 0 ? Text : Text.Replace(before, after, StringComparison.Ordinal);
        Assert.Equal(expected, YamlEdit.TrySet(Text, PathOf(path), value is null ? null : JsonNode.Parse(value)));
    }

    [Theory]
    [InlineData("kind: Network\nspec:\n", "kind: Network\nspec:\n  a:\n    b: c\n")]
    [InlineData("{ kind: Network, spec: { x: y } }", "{ kind: Network, spec: { x: y, a: { b: c } } }\n")]
    [InlineData("kind: Network\nspec: ~", "kind: Network\nspec:\n  a:\n    b: c\n")]
    [InlineData("{}\n", "spec:\n  a:\n    b: c\n")]
    public void What_leads_there_is_made(string text, string expected) => Assert.Equal(expected, YamlEdit.TrySet(text, PathOf("spec.a.b"), "c"));

    [Theory]
    [InlineData("spec: word\n")]
    [InlineData("spec:\n- a\n")]
    [InlineData("spec: &anchor { a: b }\n")]
    [InlineData("a: 1\n---\nspec: {}\n")]
    [InlineData("spec: [\n")]
    [InlineData("")]
    public void Where_a_value_has_no_place_nothing_is_written(string text) => Assert.Null(YamlEdit.TrySet(text, PathOf("spec.a.b"), "c"));

    private static readonly Gen<JsonNode?> Word = Gen.OneOf(
        Gen.OneOf("a", "no", "12:30", "- a", "a: b", "a #b", "\"", "'", "|", "#", "", " ", "x\ny", "x\n\ny\n", "ü 漢字 🚀", "{a}", "null").Select(w => (JsonNode?)JsonValue.Create(w)),
        Gen.Int[-5, 5000].Select(n => (JsonNode?)JsonValue.Create(n)), Gen.Bool.Select(b => (JsonNode?)JsonValue.Create(b)));

    private static readonly Gen<JsonNode?> Tree = Gen.Recursive<JsonNode?>((depth, child) => depth == 3 ? Word : Gen.OneOf(
        Word,
        child.Array[0, 3].Select(items => (JsonNode?)new JsonArray([.. items.Select(i => i?.DeepClone())])),
        child.Array[0, 3].Select(items => (JsonNode?)new JsonObject(items.Select((item, i) => KeyValuePair.Create($"k{i}", item?.DeepClone()))))));

    /// <summary>Whatever is put wherever, the text says that and all the rest as before; and only rarely it cannot be done.</summary>
    [Fact]
    public void What_was_put_is_read_back()
    {
        var (done, notDone) = (0, 0);
        Gen.Select(Tree.Where(t => t is JsonObject), Gen.Int[0, 2].Array[1, 4], Tree).Sample((tree, steps, value) =>
        {
            var text = YamlWriter.Write(tree!);
            var (path, node, wanted) = (DocumentPath.Root, tree, tree!.DeepClone());
            JsonNode parent = wanted;
            // Down by keys and places that are there, as far as it goes; then a key of its own.
            foreach (var step in steps.SkipLast(1))
            {
                var next = node switch { JsonObject map => map[$"k{step}"], JsonArray list when step < list.Count => list[step], _ => null };
                if (next is not (JsonObject or JsonArray))
                    break;
                path = node is JsonObject ? path[$"k{step}"] : path[step];
                parent = parent is JsonObject inMap ? inMap[$"k{step}"]! : parent[step]!;
                node = next;
            }
            if (parent is JsonObject to)
            {
                path = path[$"k{steps[^1]}"];
                to[$"k{steps[^1]}"] = value?.DeepClone();
            }
            else
            {
                var list = parent.AsArray();
                path = path[list.Count];
                list.Add(value?.DeepClone());
            }
            if (YamlEdit.TrySet(text, path, value) is not { } made)
            {
                Interlocked.Increment(ref notDone);
                return;
            }
            Interlocked.Increment(ref done);
            var read = YamlTree.Read(made, out var mistakes);
            Assert.True(mistakes.Count == 0 && JsonNode.DeepEquals(wanted, read), $"{text}\n{path}\n{value?.ToJsonString()}\n{made}\n{string.Join('\n', mistakes)}");
        }, iter: 3000);
        Assert.InRange(notDone, 0, done / 20);
    }

    internal static DocumentPath PathOf(string text)
    {
        var path = DocumentPath.Root;
        foreach (var part in text.Replace("[", ".[", StringComparison.Ordinal).Split('.'))
            path = part[0] == '[' ? path[int.Parse(part[1..^1], CultureInfo.InvariantCulture)] : path[part];
        return path;
    }
}
