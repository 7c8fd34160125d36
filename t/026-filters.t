#!/usr/bin/perl
# eq on an indexed attribute finds what it should, however the client wrote and encoded it; what is malformed or not
# indexed is refused with a sentence.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $user = $Scim::Check::user_urn;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $c = $t->client(token => $t->seed('acme'));
$t->start;
my $base = '/scim/v2/Users';

sub create {
    my (%user) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $c->request(POST => $base, json => { schemas => [$user], %user });
    is $r->{status}, 201, 'a user' or diag $r->{body};
}

# The users' names that a filter finds, in the order of the list.
sub finds {
    my ($filter, @users) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $json = is_list($c, "$base?filter=$filter", scalar @users, scalar @users, "filter=$filter");
    is_deeply [map $_->{userName}, @{ $json->{Resources} }], \@users, 'finds ' . (@users || 'nobody');
}

finds 'userName+eq+"nobody"';    # the probe that an identity provider begins with, in an empty directory
for my $i (1 .. 3) {
    create userName => "user$i", externalId => 'x-1', title => "t$i",
        emails => [{ value => "u$i\@example.com", type => 'work' }, { value => 'Team@Example.com', type => 'home' }];
}
create userName => 'other', externalId => 'X-1';

# --- forms

finds 'userName+eq+"user2"', 'user2';
finds 'userName%20eq%20%22user2%22', 'user2';
finds 'USERNAME+EQ+"USER2"', 'user2';
finds "$user:userName+eq+\"user2\"", 'user2';
finds '+(+userName+eq+"user2"+)+', 'user2';
finds 'userName+eq+"user2"&aadOptscim062020', 'user2';
finds 'userName+eq+"user2"&x=%zz&&=&sortBy=title&sortOrder=ascending', 'user2';
finds 'userName+eq+"user2"&filter=userName+eq+"user1"', 'user2';
finds 'userName+eq+"user"';
finds 'userName+eq+"user2%25"';
finds 'emails.value+eq+"u2@example.com"', 'user2';
finds 'emails.value%20eq%20%22U2%40EXAMPLE.COM%22', 'user2';
finds 'emails[value+eq+"u2@example.com"]', 'user2';
finds 'emails+eq+"u2@example.com"', 'user2';
finds 'emails.value+eq+"TEAM@example.com"', qw(user1 user2 user3);
finds 'externalId+eq+"x-1"', qw(user1 user2 user3);
finds 'externalId+eq+"X-1"', 'other';
finds 'externalId+eq+"x-2"';

# --- and: one index, the rest by looking at what it found

finds 'externalId+eq+"x-1"+and+userName+eq+"user2"', 'user2';
finds 'userName+eq+"user2"+and+externalId+eq+"x-1"', 'user2';
finds 'userName+eq+"user2"+and+externalId+eq+"X-1"';
finds 'externalId+eq+"x-1"+and+title+gt+"t1"', qw(user2 user3);
finds 'externalId+eq+"x-1"+and+not+(userName+eq+"user2")', qw(user1 user3);
finds 'externalId+eq+"x-1"+and+(active+eq+false+or+emails.value+co+"u1@")', 'user1';
finds 'emails[type+eq+"work"+and+value+eq+"u1@example.com"]', 'user1';
finds 'emails[type+eq+"home"+and+value+eq+"u1@example.com"]';
finds 'emails.type+eq+"home"+and+emails.value+eq+"u1@example.com"', 'user1';

# --- a change moves what is found

my ($ada) = @{ $c->request(GET => "$base?filter=userName+eq+\"user3\"")->{json}{Resources} };
$c->request(PUT => "$base/$ada->{id}", json => { schemas => [$user], userName => 'renamed', externalId => 'x-3' });
finds 'userName+eq+"user3"';
finds 'emails.value+eq+"u3@example.com"';
finds 'externalId+eq+"x-1"', qw(user1 user2);
finds 'userName+eq+"renamed"+and+externalId+eq+"x-3"', 'renamed';
$c->request(DELETE => "$base/$ada->{id}");
finds 'userName+eq+"renamed"';
finds 'externalId+eq+"x-3"';

# --- letters: JSON escapes, +, characters of more than one byte, composed and not

my $long = 'l' x 2000;
for my $name ("o'neil+x\@x.com", 'quo"te', 'back\\slash', "\x{c9}mile", "\x{41a}\x{43e}\x{43d}\x{44c}", "\x{1f600}smile",
    'with blank', $long) {
    create userName => $name;
    (my $query = 'userName eq "' . ($name =~ s/(["\\])/\\$1/gr) . '"') =~ s/^/ /;
    utf8::encode($query);
    $query =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge;
    finds $query, $name;
}
finds 'userName+eq+"%C3%A9MILE"', "\x{c9}mile";
finds 'userName+eq+"e%CC%81mile"', "\x{c9}mile";
finds 'userName+eq+"\u00e9mile"', "\x{c9}mile";
finds "userName+eq+\"\xc3\xa9mile\"", "\x{c9}mile";
finds 'userName+eq+"%D0%BA%D0%9E%D0%9D%D0%AC"', "\x{41a}\x{43e}\x{43d}\x{44c}";
finds 'userName+eq+"' . 'L' x 2000 . '"', $long;
finds 'userName+eq+"' . 'L' x 2001 . '"';

# --- refused

my $unindexed = qr/needs a search through all resources.*use eq on one of userName, externalId, emails\.value/;
is_error $c->request(GET => "$base?filter=$_->[0]"), 400, 'invalidFilter', $_->[1], "filter=$_->[0]" for (
    (map [$_, $unindexed], 'title+eq+"x"', 'userName+sw+"user"', 'userName+pr', 'not+(userName+eq+"a")',
        'userName+eq+"a"+or+title+eq+"b"', 'userName+eq+null', 'emails[type+eq+"work"]'),
    ['', qr/Query parameter "filter" is empty/],
    ['+', qr/Query parameter "filter" is empty/],
    ['userName+eq+%22%ff%22', qr/not valid UTF-8/],
    ['userName+eq+%2', qr/broken escape "%2"/],
    ['userName+eq+"a%00"', qr/U\+0000/],
    ['noSuchThing+eq+"x"', qr/wrong at character 1: User has no attribute "noSuchThing"/],
    ['userName+like+"x"', qr/wrong at character 10: expected an operator .*, found "like"/],
    ['userName+eq', qr/wrong at character 12: expected a blank and a value, found the end/],
    ['userName+eq+"x', qr/wrong at character 15: expected a double quote that ends the string/],
    ['(userName+eq+"x"', qr/wrong at character 17: expected "and", "or" or "\)", found the end/],
    ['userName+eq+"x"+and', qr/wrong at character 20: expected a blank after "and"/],
    ['active+gt+true', qr/wrong at character 8: "gt" does not apply to "active", which is of type boolean/],
    ['password+eq+"x"', qr/"password" is never returned and cannot be filtered by/],
    ['(' x 33 . 'userName+eq+"x"' . ')' x 33, qr/nested deeper than scim_max_filter_depth \(32\) allows/]);

$t->finish;
