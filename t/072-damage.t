#!/usr/bin/perl
# A damaged store: what nginx answers, what scimctl verify says, and that three deaths of workers inside a store suspend it,
# while the other stores of the same nginx are served.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy ();
use Test::More;
use Scim;

my $t = Scim->new(http => <<'EOH', server => <<'EOS');
    scim_store a %%DIR%%/a size=64m;
    scim_store b %%DIR%%/b size=64m;
EOH
    location /a/ { scim a; }
    location /b/ { scim b; }
EOS
my ($page, $store) = (4096, "$t->{dir}/b");
my %token;
for (qw(a b)) {
    $t->{store} = "$t->{dir}/$_";
    $token{$_} = $t->seed('acme');
}
$t->start->served('/a/Users', token => $token{a})->served('/b/Users', token => $token{b});

sub users {
    my ($which, $filter) = @_;
    $filter =~ s/ /%20/g;
    $filter =~ s/"/%22/g;
    return $t->request(GET => "/$which/Users?filter=$filter", token => $token{$which});
}
sub create { return $t->request(POST => "/$_[0]/Users", token => $token{ $_[0] }, json => Scim::user($_[1], nickName => "nick-$_[1]")) }

my %id = map { ($_ => create('b', $_)->{json}{id}) } map "user$_", 10 .. 60;
ok $id{user60}, 'users are there';
is create('a', 'other')->{status}, 201, 'so is one in another store';
for (qw(user50 user51)) {
    is $t->request(DELETE => "/b/Users/$id{$_}", token => $token{b})->{status}, 204, "$_ is deleted, so that pages are free";
}
my $group = $t->request(POST => '/b/Groups', token => $token{b},
    json => { displayName => 'team', members => [{ value => $id{user10} }] });
is $group->{status}, 201, 'a group has a member';
$t->quit;
File::Copy::copy("$store/data.mdb", "$t->{dir}/whole") or die $!;

sub slurp { open my $f, '<:raw', $_[0] or die "$_[0]: $!"; local $/; return scalar <$f> }
sub bytes_of { return pack 'H*', $_[0] =~ tr/-//dr }

# Changes the copy of the store that was taken above by $edit->(\$bytes), and puts it into the store's place.
sub damage {
    my ($edit) = @_;
    my $bytes = slurp("$t->{dir}/whole");
    my $changes = $edit->(\$bytes);
    ok $changes, 'there is something to damage';
    unlink "$store/lock.mdb", "$store/data.mdb";
    open my $f, '>:raw', "$store/data.mdb" or die $!;
    print $f $bytes;
    close $f or die $!;
}
sub verify_says {
    my ($pattern, $name) = @_;
    my ($exit, $out, $err) = $t->scimctl('verify');
    ok $exit == 1 && "$out$err" =~ $pattern, $name or diag "exit $exit\n$out$err";
}
# The number of the last committed meta page's field.
sub meta {
    my ($bytes) = @_;
    my ($newest) = sort { $b->[2] <=> $a->[2] } map [unpack("x$_ x16 x24 x48 x48 Q", $$bytes), $_, unpack("x$_ x144 Q", $$bytes)], 0, $page;
    return $newest->[1];
}
sub word { my ($bytes, $at) = @_; return unpack 'Q', substr $$bytes, $at, 8 }

# The leaf pages of the tree with this root (depth of at most two), and those of all databases.
sub leaves {
    my ($bytes, $root) = @_;
    my $at = $root * $page;
    my ($flags, $lower) = unpack 'x10 S S', substr $$bytes, $at, 16;
    return $root if $flags & 2;
    return map {
        my ($low, $high, $top) = unpack 'S S S', substr $$bytes, $at + $_, 6;
        leaves($bytes, $low | $high << 16 | $top << 32);
    } unpack 'S*', substr $$bytes, $at + 16, $lower - 16;
}
sub database {
    my ($bytes, $name) = @_;
    for my $leaf (leaves($bytes, word($bytes, meta($bytes) + 40 + 48 + 40))) {
        my $at = index substr($$bytes, $leaf * $page, $page), $name;
        return word($bytes, $leaf * $page + $at + length($name) + 40) if $at >= 0;
    }
    die "no database $name";
}

# --- damage that costs no worker

damage(sub { ${ $_[0] } =~ s/nick-user20/nick-useR20/g });
verify_says(qr/resources: tenant 1 User $id{user20}: the record is damaged/, 'verify finds a flip in a record');
$t->start;
is $t->request(GET => "/b/Users/$id{user20}", token => $token{b})->{status}, 503, 'the record is not answered';
is $t->request(GET => "/b/Users/$id{user21}", token => $token{b})->{status}, 200, 'others are';
$t->quit;

damage(sub {
    my ($bytes) = @_;  # the last name, so that the keys of its page stay in order
    my $tail = "\0" . bytes_of($id{user60});
    return $$bytes =~ s/user60\Q$tail\E/uset60$tail/g;
});
verify_says(qr/"user60" $id{user60}: the row is missing.*"uset60" $id{user60}: the resource does not have this value/s,
    'verify finds a flip in an index row');
$t->start;
is $t->request(GET => "/b/Users/$id{user60}", token => $token{b})->{status}, 200, 'the user is answered by its id';
is users('b', 'userName eq "user60"')->{json}{totalResults}, 0, 'and missed by its name, which only verify can tell';
for ('userName eq "uset60"', 'userName sw "uset"', 'userName gt "uset"', 'userName eq "uset60" or userName eq "user40"') {
    my $r = users('b', $_);
    ok $r->{status} == 503 && $r->{json}{detail} =~ /damaged/, "a wrong index row is no answer: $_" or diag $r->{body};
}
is create('b', 'uset60')->{status}, 201, 'nor does it make a name taken';
$t->quit;

damage(sub {
    my ($bytes) = @_;
    my ($user, $group) = map bytes_of($_), $id{user10}, $group->{json}{id};
    my $other = bytes_of($id{user11});
    return $$bytes =~ s/\Q$user$group\E/$other$group/g;
});
verify_says(qr/memberships: .*member $id{user11}: the row has no counterpart in members/, 'verify finds a flip in a membership row');
$t->start;
my $groups = $t->request(GET => qq{/b/Groups?filter=members.value%20eq%20%22$id{user11}%22}, token => $token{b});
is $groups->{status}, 503, 'a wrong membership row is no answer: members.value eq';
$t->quit;

damage(sub {
    my ($bytes) = @_;
    for my $leaf (leaves($bytes, word($bytes, meta($bytes) + 40 + 40))) {
        my ($node) = unpack 'x16 S', substr $$bytes, $leaf * $page, $page;
        my $at = $leaf * $page + $node + 16;    # node header and key
        next if !word($bytes, $at);
        substr $$bytes, $at, 16, pack 'QQ', 1, database($bytes, 'resources');
        return 1;
    }
    return 0;
});
verify_says(qr/page \d+: the list of free pages names it, and it has another use/, 'verify finds a page in use among the free ones');

# --- damage that kills a worker: a value that is longer than the file

damage(sub {
    my ($bytes) = @_;
    for my $leaf (leaves($bytes, database($bytes, 'resources'))) {
        my ($lower) = unpack 'x12 S', substr $$bytes, $leaf * $page, 16;
        for my $node (unpack 'S*', substr $$bytes, $leaf * $page + 16, $lower - 16) {
            substr $$bytes, $leaf * $page + $node, 4, pack 'SS', 0xffff, 0x7fff;
        }
    }
    return 1;
});
verify_says(qr/page \d+: a node is longer than the page; it is in database "resources".*restore a backup/s,
    'verify finds a damaged tree page');
push @{ $t->{expect_log} }, qr/worker process \d+ exited on signal (?:7|11)/, qr/\[alert\].* is suspended: 3 worker processes/;
$t->start;
for my $death (1 .. 3) {
    my ($old) = $t->workers;
    is $t->request(GET => "/b/Users/$id{user40}", token => $token{b})->{status}, 0, "a damaged page kills worker $death";
    $t->wait_for(sub { my @now = $t->workers; @now == 1 && $now[0] != $old });
}
ok $t->wait_log(qr/\[alert\].*store "\Q$store\E" is suspended: 3 worker processes died inside it within 60 seconds.*store resume/),
    'three deaths of workers suspend the store, and the log says what to do';
$t->served('/a/Users', token => $token{a});
is users('a', 'userName eq "other"')->{json}{totalResults}, 1, 'the other store is served';
is users('b', 'userName eq "user40"')->{status}, 503, 'the suspended one is 503';
$t->reload(gone => 1);
is users('b', 'userName eq "user40"')->{status}, 503, 'a reload does not end the suspension';
is scalar(() = $t->log =~ /exited on signal/g), 3, 'and costs no other worker';

# --- mended

unlink "$store/lock.mdb";
File::Copy::copy("$t->{dir}/whole", "$store/data.mdb") or die $!;
is users('b', 'userName eq "user40"')->{status}, 503, 'the same file with another content stays suspended';
my ($exit, $out) = $t->scimctl('store', 'resume');
like "$exit $out", qr/^0 The suspension has ended/, 'scimctl store resume ends the suspension';
ok $t->wait_for(sub { users('b', 'userName eq "user40"')->{status} == 200 }), 'the store is served again';
like +($t->scimctl('store', 'resume'))[1], qr/is not suspended/, 'a second resume says that nothing is suspended';
$t->finish;
