using CsCheck;
using Provisioner.Web.Live;

namespace Provisioner.Tests.Web;

public sealed class LineDiffTests
{
    [Theory]
    [InlineData("a\nb\nc", "a\nb\nc", null)]
    [InlineData("a\nb\nc", "a\nx\nc", "- b\n+ x")]
    [InlineData("a\nc", "a\nb\nc", "+ b")]
    [InlineData("a\nb", "b", "- a")]
    public void Only_what_differs_is_told(string before, string after, string? told) => Assert.Equal(told, LineDiff.Of(before, after));

    /// <summary>What is told, done to the text before, gives the text after as far as lines are counted.</summary>
    [Fact]
    public void It_tells_no_more_and_no_less_than_the_difference() =>
        Gen.Select(Gen.Int[0, 2].Select(i => "abc"[i].ToString()).Array[1, 12], Gen.Int[0, 2].Select(i => "abc"[i].ToString()).Array[1, 12]).Sample((before, after) =>
        {
            var told = LineDiff.Of(string.Join('\n', before), string.Join('\n', after))?.Split('\n') ?? [];
            foreach (var line in new[] { "a", "b", "c" })
                Assert.Equal(after.Count(l => l == line) - before.Count(l => l == line), told.Count(t => t == $"+ {line}") - told.Count(t => t == $"- {line}"));
        });
}
