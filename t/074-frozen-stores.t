#!/usr/bin/perl
# This version serves the stores of all released versions (t/data): it says what the version that made them said, keeps out who
# was kept out, and can change them.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;
use Scim::Frozen qw(frozen_parts frozen_answers slurp);

my $json = $Scim::json;
my $data = "$FindBin::Bin/data";

# What is missing or different in $new: members may be added, but none removed or changed.
sub lost {
    my ($old, $new, $path) = @_;
    return "$path is of another type" if ref $old ne ref $new;
    return map exists $new->{$_} ? lost($old->{$_}, $new->{$_}, "$path.$_") : "$path.$_ is missing", sort keys %$old if ref $old eq 'HASH';
    return @$old == @$new ? map lost($old->[$_], $new->[$_], "$path\[$_]"), 0 .. $#$old : sprintf '%s has %d elements, not %d', $path, scalar @$new, scalar @$old
        if ref $old eq 'ARRAY';
    return $old eq $new ? () : "$path is $new, not $old";
}

# The value of each line of an answer.
sub values_of { my ($text) = @_; return [map JSON::PP->new->decode($_), grep length, split /\n/, $text] }

my %formats;
for my $dir (sort glob "$data/store-*") {
    my ($version) = $dir =~ /store-([^\/]+)\z/;
    my $t = Scim->new(frozen_parts($dir));
    mkdir $t->{store}, 0700 or die "$t->{store}: $!";
    is system("gunzip -c '$dir/store.gz' | mdb_load '$t->{store}'"), 0, "$version: the store is loaded";
    $formats{ ($t->poke(qw(meta write_format)))[1] }++;
    is +($t->scimctl('verify'))[0], 0, "$version: verify finds no problem";
    $t->start;
    my $recorded = $json->decode(slurp("$dir/answers.json"));
    my $answers = frozen_answers($t);
    for my $question (sort keys %$recorded) {
        my @lost = lost(values_of($recorded->{$question}), values_of($answers->{$question} // ''), '');
        is join("\n", @lost), '', "$version: the answer to $question is the same";
    }

    my $c = $t->client(token => $t->token('acme', label => 'new'));
    my $users = '/scim/v2/Users';
    is $t->request(GET => $users, token => $t->token('closed', label => 'new'))->{status}, 403, "$version: the disabled tenant is refused";
    my ($ada) = @{ $c->request(GET => "$users?filter=userName%20eq%20%22ada\@example.com%22")->{json}{Resources} };
    is_error $c->request(POST => $users, json => Scim::user("L\x{d6}NG" . 'X' x 500)), 409, 'uniqueness', qr/taken/,
        "$version: a userName of the store is taken";
    is $c->request(PATCH => "$users/$ada->{id}", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
        Operations => [{ op => 'replace', path => 'userName', value => 'countess' }] })->{status}, 200, "$version: a user is changed";
    is $c->request(GET => "$users?filter=userName%20eq%20%22ada\@example.com%22")->{json}{totalResults}, 0, "$version: its index rows are, too";
    for my $name (qw(gone gone-1)) {
        my $r = $c->request(POST => $users, json => Scim::user("$name-again", $name eq 'gone' ? (userName => $name) : (externalId => $name)));
        is $r->{status}, 201, "$version: a new user with a name of a deleted one";
        my ($exit, $out) = $t->scimctl(qw(user show --json --tenant acme), $r->{json}{id});
        ok $json->decode($out)->{blocked}, "$version: it inherits the block by $name";
    }
    is $c->request(DELETE => "$users/$ada->{id}")->{status}, 204, "$version: a user is deleted from its groups";
    is +($t->scimctl(qw(tenant remove --yes globex)))[0], 0, "$version: a tenant is removed";
    my ($exit, $out, $err) = $t->scimctl('verify');
    is $exit, 0, "$version: verify finds no problem afterwards" or diag $out, $err;
    ok $t->quit, "$version: nginx ends";
}

my ($format) = slurp("$FindBin::Bin/../src/store/format.h") =~ /format_version = (\d+)/;
ok $formats{"$format\n"}, "a store of format $format is in t/data (make freeze-store)";
done_testing;
