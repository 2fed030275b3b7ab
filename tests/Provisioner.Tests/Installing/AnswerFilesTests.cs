namespace Provisioner.Tests.Installing;

public sealed class AnswerFilesTests
{
    public static TheoryData<string> Matrix { get; } = [.. AnswerFixture.Matrix];

    [Fact]
    public void The_matrix_is_wide_enough() => Assert.True(AnswerFixture.Matrix.Count() >= 40);

    [Theory]
    [MemberData(nameof(Matrix))]
    public void The_answers_of_one_host(string name) =>
        Golden.Match(AnswerFixture.All(AnswerFixture.Files(), AnswerFixture.Context(name)), name.Replace('/', '_'));
}
