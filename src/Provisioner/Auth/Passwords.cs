using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Auth;

/// <summary>A secret in a request. What is wrong with it is told without telling it.</summary>
/// <param name="name">With its article: <c>a password</c>.</param>
internal sealed class SecretKind(string name, string expected, Func<string, string?> wrongWith) : ValueKind<string>
{
    public override string Expected => expected;

    public override string JsonType => "string";

    public override bool TryRead(TextNode node, string path, Reading reading, out string value)
    {
        value = "";
        if (!TryScalar(node, path, name, reading, out var scalar))
            return false;
        value = scalar.Text;
        if (wrongWith(value) is not { } wrong)
            return true;
        reading.Add(node.Position, path, $"the value {wrong}", null, expected);
        return false;
    }

    public override JsonNode Write(string value) => "•••";
}

/// <summary>What a password and a user's name have to be.</summary>
internal static class Passwords
{
    public const int Minimum = 12, Maximum = 256;

    /// <summary>One that is to be set. Length is what counts (NIST SP 800-63B §5.1.1.2); no rules for characters.</summary>
    public static SecretKind New { get; } = new("a password", $"{Minimum} to {Maximum} characters, not one or two repeated", text =>
        text.Length is < Minimum or > Maximum ? $"has {text.Length} characters" : text.Distinct().Count() < 4 ? "repeats the same few characters" : null);

    /// <summary>One that is to be compared.</summary>
    public static SecretKind Given { get; } = new("a password", $"at most {Maximum} characters", text => text.Length > Maximum ? $"has {text.Length} characters" : null);

    public static ScalarKind<string> UserName { get; } = Values.OfText("a user's name", "1 to 64 lower-case letters, digits, '.', '_', '-', '+' and '@', beginning with a letter or digit", NameProblem);

    public static string? NameProblem(string text) =>
        text.Length is 0 or > 64 ? $"has {text.Length} characters"
        : !text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '_' or '-' or '+' or '@') ? "has a character that is not allowed"
        : !char.IsAsciiLetterOrDigit(text[0]) ? "begins with a sign" : null;

    /// <summary>A password that says the user's name is the first that is tried.</summary>
    public static void RefuseNameIn(string password, string name)
    {
        if (name.Length >= 4 && password.Contains(name, StringComparison.OrdinalIgnoreCase))
            throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake("the value has the user's name in it") { Path = "password", Expected = New.Expected + ", without the name" }]);
    }
}
