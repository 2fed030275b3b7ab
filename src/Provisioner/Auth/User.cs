using System.Collections.Immutable;

namespace Provisioner.Auth;

/// <summary>A person who signs in.</summary>
/// <param name="Name">Unique, in lower case.</param>
public sealed record User(string Name)
{
    public required Role Role { get; init; }

    /// <summary>Argon2id in its own notation (<c>$argon2id$…</c>); null for a person whom an identity provider signs in, or who has none yet.</summary>
    public string? PasswordHash { get; init; }

    /// <summary>The identity provider that signs this person in; null for one with a password here.</summary>
    public string? Issuer { get; init; }

    /// <summary>Who this is to <see cref="Issuer"/>; names can change hands there, this cannot.</summary>
    public string? Subject { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? PasswordChangedAt { get; init; }

    public DateTimeOffset? LastSignInAt { get; init; }

    /// <summary>The hashes of what browsers hold that this person signed in with; newest last. Wrong passwords from elsewhere do not slow these down.</summary>
    public ImmutableArray<string> Devices { get; init; } = [];
}

/// <summary>A person signed in with one browser. It ends by itself, with the user, and when somebody ends it.</summary>
/// <param name="Id">Not a secret.</param>
public sealed record Session(string Id)
{
    public required string User { get; init; }

    /// <summary>Of the secret in the cookie.</summary>
    public required string Hash { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>At its latest; it ends sooner when it is not used.</summary>
    public required DateTimeOffset EndsAt { get; init; }

    /// <summary>To within a minute.</summary>
    public required DateTimeOffset SeenAt { get; init; }

    public string? Address { get; init; }

    /// <summary>What the browser said it is.</summary>
    public string? Agent { get; init; }
}

/// <summary>What a program signs its requests with.</summary>
/// <param name="Name">Unique.</param>
public sealed record ApiToken(string Name)
{
    /// <summary>The public part of the token itself.</summary>
    public required string Id { get; init; }

    public required string Hash { get; init; }

    public required Role Role { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset EndsAt { get; init; }

    /// <summary>To within a minute.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    /// <summary>The address it was last used from.</summary>
    public string? LastUsedFrom { get; init; }

    /// <summary>Who made it.</summary>
    public string? Actor { get; init; }
}
