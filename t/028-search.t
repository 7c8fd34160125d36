#!/usr/bin/perl
# POST to .search returns what GET returns (RFC 7644 3.4.3) and never waits for the write lock; a query at the root covers
# the resources of all types.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $search_urn = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => <<'EOS')->start;
    client_max_body_size 1m;
    location /scim/v2/ { scim main; }
    location /read/ { scim main; scim_scope read; }
    location /small/ { scim main; client_max_body_size 100; }
EOS
my $token = $t->token($t->tenant('acme'));
my $c = $t->client(token => $token);
my $base = '/scim/v2';
for my $i (1 .. 5) { $c->request(POST => "$base/Users", json => Scim::user("u$i", title => "t$i")) }
my @users = @{ $c->request(GET => "$base/Users")->{json}{Resources} };
sub group {
    my ($name, @members) = @_;
    return $c->request(POST => "$base/Groups", json => { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'],
        displayName => $name, members => [map +{ value => $_ }, @members] })->{json};
}
my @groups = (group('A team', $users[0]{id}), group('B team', map $_->{id}, @users[0, 1]));
is scalar(@users), 5, 'five users are created';
is scalar(grep $_->{id}, @groups), 2, 'two groups are created';

sub search { my ($path, %request) = @_; return $c->request(POST => "$base$path", json => { schemas => [$search_urn], %request }) }
sub name { return map $_->{userName} // $_->{displayName} // 'none', @{ $_[0]{json}{Resources} // [] } }

# Checks that a search and the GET with the same parameters return the same list.
sub found {
    my ($path, $request, $total, @names) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = search($path, %$request);
    my $text = $path . ' ' . join ' ', map { "$_ " . (ref $request->{$_} ? "@{ $request->{$_} }" : $request->{$_} // 'null') } sort keys %$request;
    is "$r->{status} " . ($r->{json}{totalResults} // $r->{body}), "200 $total",
        "search $text finds $total";
    is_deeply [name($r)], \@names, "search $text returns @names";
    my $query = join '&', map { my $v = $request->{$_}; $v = join ',', @$v if ref $v; $v =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge;
        "$_=$v" } grep defined $request->{$_}, sort keys %$request;
    is $c->request(GET => $base . $path =~ s{\.search$}{}r . "?$query")->{body}, $r->{body},
        "[S-105 S-106 S-166] search $text has the body of the GET";
    return $r->{json};
}

found '/Users/.search', {}, 5, map "u$_", 1 .. 5;
found '/Users/.search', { filter => 'userName eq "u2"' }, 1, 'u2';
found '/Users/.search', { filter => 'title co "T"', startIndex => 2, count => 2 }, 5, qw(u2 u3);
found '/Users/.search', { sortBy => 'userName', sortOrder => 'descending', count => 2 }, 5, qw(u5 u4);
found '/Users/.search', { count => 0 }, 5;
found '/Users/.search', { filter => undef, sortBy => undef, attributes => undef, count => undef }, 5, map "u$_", 1 .. 5;
my $json = found '/Users/.search', { filter => 'userName eq "u1"', attributes => ['title', 'userName'] }, 1, 'u1';
is_deeply [sort keys %{ $json->{Resources}[0] }], [qw(id schemas title userName)],
    '[S-98 S-100] "attributes" of a SearchRequest selects attributes';
$json = found '/Users/.search', { filter => 'userName eq "u1"', excludedAttributes => ['meta', 'title'] }, 1, 'u1';
ok !exists $json->{Resources}[0]{title} && !exists $json->{Resources}[0]{meta},
    '[S-98] "excludedAttributes" of a SearchRequest excludes attributes';
found '/Groups/.search', { filter => "members eq \"$users[1]{id}\"" }, 1, 'B team';
is_deeply [name(search('/Users/.search', FILTER => 'userName eq "u3"', Unknown => { a => 1 }))], ['u3'],
    'member names of a SearchRequest may have any case, and unknown members are ignored';
is_deeply [name($c->request(POST => "$base/Users/.search?filter=userName+eq+%22u4%22&count=0",
    json => { schemas => [lc $search_urn], filter => 'userName eq "u3"' }))], ['u3'],
        '[S-105] query parameters in the URL of a search are ignored';

# --- searches at the root

note "[S-65 S-66 S-106] searches at the root";
my @all = ((map "u$_", 1 .. 5), 'A team', 'B team');
found '/.search', {}, 7, @all;
found '/.search', { startIndex => 5, count => 2 }, 7, 'u5', 'A team';
found '/.search', { startIndex => 7 }, 7, 'B team';
found '/.search', { filter => 'meta.resourceType eq "Group"' }, 2, 'A team', 'B team';
found '/.search', { filter => 'userName pr' }, 5, map "u$_", 1 .. 5;
found '/.search', { filter => 'not (userName pr)' }, 2, 'A team', 'B team';
found '/.search', { filter => 'displayName eq "a TEAM" or userName eq "u2"' }, 2, 'u2', 'A team';
found '/.search', { filter => "id eq \"$groups[1]{id}\"" }, 1, 'B team';
found '/.search', { sortBy => 'meta.lastModified', sortOrder => 'descending', count => 3 }, 7, 'B team', 'A team', 'u5';
found '/.search', { sortBy => 'displayName', count => 3 }, 7, 'A team', 'B team', 'u1';
my ($of_u1) = @{ found('/.search', { filter => 'displayName eq "A team" or userName eq "u1"', attributes => ['members', 'userName'] },
    2, 'u1', 'none')->{Resources} };
is_deeply [sort keys %$of_u1], [qw(id schemas userName)], '"attributes" of a search at the root is applied to each type';
is_list $c, "$base/?count=1", 7, 1, '[S-65] GET of the root lists resources of all types';
is_list $c, "$base/?filter=title+pr", 5, 5, '[S-65 S-66] GET of the root with a filter lists the matches of all types';

# --- searches that are refused

note "searches that are refused";
my $users = "$base/Users/.search";
is_error search('/Users/.search', %{ $_->[0] }), 400, @$_[1, 2], "search with $_->[3] is refused with 400" for (
    [{ filter => 'x' }, 'invalidFilter', qr/has no attribute "x"/, 'an unknown attribute in the filter'],
    [{ filter => '' }, 'invalidFilter', qr/is empty/, 'an empty filter'],
    [{ filter => 1 }, 'invalidFilter', qr/"filter" of a SearchRequest must be a string, not a number/, 'a number as filter'],
    [{ count => 'one' }, 'invalidValue', qr/"count" of a SearchRequest must be an integer, not a string/, 'a word as count'],
    [{ startIndex => 1.5 }, 'invalidValue', qr/"startIndex"/, 'a fraction as startIndex'],
    [{ attributes => {} }, 'invalidValue', qr/"attributes" of a SearchRequest must be an array of names/,
        'an object as attributes'],
    [{ attributes => [1] }, 'invalidValue', qr/"attributes"/, 'a number in attributes'],
    [{ attributes => ['id'], excludedAttributes => ['id'] }, 'invalidValue', qr/exclude each other/,
        'both attributes and excludedAttributes'],
    [{ sortBy => 'x' }, 'invalidPath', qr/"sortBy" is "x"/, 'an unknown attribute in sortBy'],
    [{ sortOrder => 'x' }, 'invalidValue', qr/"sortOrder" is "x"/, 'an invalid sortOrder']);
is_error search('/.search', filter => 'x eq 1'), 400, 'invalidFilter', qr/no resource type has an attribute "x"/,
    'a search at the root with an attribute of no type is refused with 400';
is_error $c->request(POST => $users, json => $_), 400, 'invalidSyntax', qr/"schemas" of the body must be \["$search_urn"\]/,
    '[S-234] a search without the SearchRequest schema is refused with 400'
    for {}, { schemas => [] }, { schemas => $search_urn }, { schemas => ['urn:ietf:params:scim:schemas:core:2.0:User'] };
is_error $c->request(POST => $users, body => '{"a":', headers => { 'Content-Type' => 'application/json' }), 400,
    'invalidSyntax', qr/./, 'a search with a body that is not JSON is refused with 400';
is_error $c->request(POST => $users, body => ''), 400, 'invalidSyntax', qr/./,
    'a search with an empty body is refused with 400';
is_error $c->request(POST => $users, body => '{}', headers => { 'Content-Type' => 'text/xml' }), 415,
    '', qr/send Content-Type: application\/scim\+json/, 'a search with an XML body is refused with 415';
is_error $c->request(POST => '/small/Users/.search', json => { schemas => [$search_urn], filter => 'x' x 200 }), 413,
    '', qr/client_max_body_size/, 'a search with a body larger than client_max_body_size is refused with 413';
for my $method (qw(GET PUT PATCH DELETE)) {
    my $r = $c->request($method => $users);
    is_error $r, 405, '', qr/this endpoint supports POST/, "$method .search is refused with 405";
    is $r->{headers}{allow}, 'POST', "the 405 to $method .search has the Allow header POST";
}
is $c->request(DELETE => "$base/")->{headers}{allow}, 'GET, HEAD',
    'the 405 to DELETE of the root has the Allow header GET, HEAD';
is_error $c->request(POST => "$base/Nothing/.search", json => {}), 404, '', qr/./,
    'a search at an unknown endpoint is refused with 404';

# --- a search only reads

my $reader = $t->client(token => $t->token('acme', scope => 'read', label => 'reader'));
is $reader->request(POST => $users, json => { schemas => [$search_urn], count => 1 })->{json}{totalResults}, 5,
    'a token with scope read may search';
is $c->request(POST => '/read/Users/.search', json => { schemas => [$search_urn] })->{status}, 200,
    'a location with scim_scope read allows a search';
is $t->request(POST => $users, json => { schemas => [$search_urn] })->{status}, 401,
    'a search without a token is refused with 401';
open my $hold, '|-', "exec $ENV{TEST_POKE} $t->{dir}/store hold >$t->{dir}/held" or die "poke: $!";
ok $t->wait_for(sub { -s "$t->{dir}/held" }), 'poke holds the write lock';
is search('/Users/.search', count => 1)->{status}, 200, 'a search does not wait for the write lock';
close $hold;

# --- searches on a thread, and bodies in pieces

my $terms = join ' or ', map "title eq \"x$_\"", 1 .. 199;
is search('/.search', filter => "$terms or title eq \"t3\"")->{json}{totalResults}, 1,
    'a filter with 200 terms finds its one match';
my $large = { schemas => [$search_urn], filter => 'userName eq "u2"', padding => 'x' x 200_000 };
is_deeply [name(search('/Users/.search', %$large))], ['u2'], 'a search with a body of 200 KB finds its match';
my $body = JSON::PP->new->encode({ schemas => [$search_urn], filter => 'userName eq "u1"' });
is_deeply [name($c->request(POST => $users, body => $body, chunked => 10,
    headers => { 'Content-Type' => 'application/scim+json' }))], ['u1'],
    'a search with a chunked body finds its match';
my $count = 3000;
$t->concurrently(8, $count, sub {
    my ($i, $client) = @_;
    return { status => $client->request(POST => "$base/Users", token => $token, json => Scim::user("many$i", title => 'many'))->{status} };
});
is search('/Users/.search', filter => 'title eq "many" and userName co "many29"', count => 3)->{json}{totalResults}, 111,
    'a scan of 3000 users finds the 111 matches';
for (1 .. 5) {
    my $gone = $t->client(token => $token);
    $gone->send(POST => $users, json => { schemas => [$search_urn], filter => $terms, count => 1000 });
    $gone->close;
}
is search('/Users/.search', filter => 'title eq "many"', count => 0)->{json}{totalResults}, $count,
    'searches are served after clients have disconnected before their answer';
is $c->request(GET => "$base/Users?filter=userName+eq+%22u1%22")->{json}{totalResults}, 1,
    'a filter is served after clients have disconnected before their answer';

$t->finish;
